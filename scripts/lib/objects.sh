# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the object files of the module may refer to.

# What the inline functions that know a linear mapping of memory (page_address(),
# page_to_virt(), virt_to_page(), phys_to_virt() and their like) come down to on some
# architecture, and what maps pages for a moment: the memory of a ring is mapped once
# and for all, and may be highmem.
LINEAR='page_address|page_offset_base|vmemmap_base|phys_base|__phys_addr(_symbol)?|__virt_addr_valid'
LINEAR+='|mem_map|high_memory|max_low_pfn|__pv_(phys_pfn_)?offset|memstart_addr|vmemmap|kernel_map|va_pa_offset'
LINEAR+='|kmap_high|kunmap_high|__kmap_local_(page|pfn)_prot|kunmap_local_indexed|rust_helper_(kmap|kunmap|page_to|virt_to)\w*'

# Rust formats a number of 64 bits by dividing it, which 32-bit kernels do not: there
# it panics.
DIVIDING='_R\w*3fmt[xy]NtB\w+_(7Display|5Debug)3fmt|__aeabi_u?ldivmod|__u?(div|mod)di3'

# judge_objects DIRECTORY CONFIG: print what the object files there must not refer to, for
# a kernel of that configuration. The views that tests have of memory are not judged.
judge_objects() {
	local file symbols denied judged=0
	for file in "$1"/*.o; do
		case ${file##*/} in
			io_ring.o | *.mod.o | helpers_kunit.o) continue ;;
			io_ring_main.o) judged=1 ;;
		esac
		denied="$LINEAR|$DIVIDING"
		# Where no cache can alias, nothing is left of the hooks that flush them.
		grep -q '^CONFIG_ARCH_HAS_CPU_CACHE_ALIASING=y' "$2" || denied+='|io_ring_flush_page'
		symbols=$(llvm-nm-19 --undefined-only --just-symbol-name "$file")
		grep -xE "$denied" <<<"$symbols" | sed "s|^|$file refers to |" || true
	done
	((judged)) || echo "$1 has no io_ring_main.o"
}
