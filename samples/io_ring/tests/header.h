/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef HEADER_H
#define HEADER_H

#ifdef __cplusplus
extern "C" {
#endif

int header_c11(void);
int header_cxx17(void);

#ifdef __cplusplus
}
#endif

#endif /* HEADER_H */
