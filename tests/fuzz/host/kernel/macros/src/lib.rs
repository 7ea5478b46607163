// SPDX-License-Identifier: GPL-2.0-only

//! The attribute of structures that are initialised in place: here they may be moved.

use proc_macro::{Group, TokenStream, TokenTree};

/// Takes the attribute `#[pin]` of fields away.
#[proc_macro_attribute]
pub fn pin_data(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    without_pin(item)
}

fn is_pin(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.stream().to_string() == "pin")
}

fn without_pin(tokens: TokenStream) -> TokenStream {
    let mut rest = tokens.into_iter().peekable();
    let mut kept = Vec::new();
    while let Some(token) = rest.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' && rest.peek().is_some_and(is_pin) => {
                rest.next();
            }
            TokenTree::Group(group) => {
                let inner = Group::new(group.delimiter(), without_pin(group.stream()));
                kept.push(TokenTree::Group(inner));
            }
            other => kept.push(other),
        }
    }
    kept.into_iter().collect()
}
