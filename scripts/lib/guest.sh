# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The test guest: its file tree, its disks, and one boot of it under QEMU.

GUEST_MB=2048
GUEST_CPUS=2
# Kernel parameters beside those that every guest gets.
GUEST_PARAMETERS=()
BUSYBOX=/usr/bin/busybox
# Parameters of null_blk, be it a module or built in.
NULL_BLK=(memory_backed=1 gb=1)
# KASAN takes addresses of five-level page tables, which "max" has, for wild ones.
TCG='-accel tcg,thread=multi -cpu max,-la57'
# No memory above 4 GB, which this kernel could not use; most of the address space of
# the kernel for vmalloc, so that little memory has a linear address.
ARM_MACHINE=(-machine 'virt,highmem=off' -accel 'tcg,thread=multi' -cpu cortex-a15)
ARM_MB=1024
ARM_PARAMETERS='console=ttyAMA0 vmalloc=768M'

# guest_tree DIR: everything but the job. Kernel modules go in plain, in the
# order in which init loads them.
guest_tree() {
	local dir=$1 applet busybox=$BUSYBOX
	mkdir -p "$dir"/{bin,sbin,usr/bin,usr/sbin,usr/local/bin,etc,root,proc,sys,dev,tmp,mnt/ext4,mnt/input,tests,modules}
	[[ ! -e $KERNEL/busybox ]] || busybox=$KERNEL/busybox$BUSYBOX
	cp "$busybox" "$dir/bin/busybox"
	while read -r applet; do
		[[ -e $dir/bin/$applet ]] || ln -s busybox "$dir/bin/$applet"
	done < <("$BUSYBOX" --list)
	install -m 755 "$TOP/scripts/guest/init" "$dir/init"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh user:x:1000:1000:user:/:/bin/sh \
		nobody:x:65534:65534:nobody:/:/bin/false >"$dir/etc/passwd"
	printf '%s\n' root:x:0: user:x:1000: nogroup:x:65534: >"$dir/etc/group"
	: >"$dir/modules.load"
	guest_kernel_module "$dir" virtio_blk
	guest_kernel_module "$dir" null_blk "${NULL_BLK[@]}"
}

# guest_kernel_module DIR NAME [PARAMETER...]: a module of the kernel itself and
# what it depends on, unless built in.
guest_kernel_module() {
	local dir=$1 name=$2 kind path release plain
	shift 2
	[[ -d $KERNEL/modules ]] || return 0
	release=$(<"$KERNEL/release")
	while read -r kind path _; do
		[[ $kind == insmod ]] || continue
		plain=/modules/$(basename "${path%.xz}")
		if [[ ! -e $dir$plain ]]; then
			if [[ $path == *.xz ]]; then xz -dc "$path" >"$dir$plain"; else cp "$path" "$dir$plain"; fi
			[[ $plain == "/modules/$name.ko" ]] && plain+=${*:+ $*}
			echo "$plain" >>"$dir/modules.load"
		fi
	done < <(modprobe -d "$KERNEL/modules" -S "$release" --show-depends "$name")
}

# guest_module DIR KO: the module under test, last in the order.
guest_module() {
	llvm-strip-19 --strip-debug -o "$1/modules/io_ring.ko" "$2"
	echo /modules/io_ring.ko >>"$1/modules.load"
}

guest_samples() {
	find "$(programs_of "$KERNEL_ARCH")/samples" -maxdepth 1 -type f -executable -name 'io_ring-*' -exec cp -t "$1/usr/local/bin" {} +
}

# guest_programs DIR KIND: what build_programs has built.
guest_programs() {
	local name dir
	dir=$(programs_of "$KERNEL_ARCH")/$2$BITS
	while read -r name; do
		llvm-strip-19 -o "$1/tests/$name" "$dir/$name"
	done <"$dir/$2.list"
}

# make_disk FILE MB [DIRECTORY]: an ext4 image, sparse.
make_disk() {
	rm -f "$1"
	mke2fs -q -t ext4 -m 0 -E lazy_itable_init=1,lazy_journal_init=1 ${3:+-d "$3"} "$1" "$2M"
}

# Under KVM only if asked for and a guest really comes up; the presence of
# /dev/kvm says nothing.
accelerator() {
	if [[ ${IO_RING_KVM:-0} != 1 ]]; then
		echo "$TCG"
	elif probe_kvm; then
		echo "-accel kvm -cpu host"
	else
		note "IO_RING_KVM=1, but a probe guest does not come up under KVM: emulating"
		echo "$TCG"
	fi
}

probe_kvm() {
	local status=0
	mkdir -p "$LOGS"
	timeout -k 5 30 qemu-system-x86_64 -accel kvm -cpu host -m 512 -nodefaults -nographic -no-reboot \
		-kernel "$KERNEL/vmlinuz" -append "panic=-1" </dev/null >"$LOGS/kvm-probe.log" 2>&1 || status=$?
	# Without a root file system a healthy kernel panics, and QEMU ends with status 0.
	((status == 0))
}

# qemu_x86_64 DIR LIMIT SERIAL: the machine, with the job's lines on SERIAL.
#
# no_timer_check: on a busy host the emulated timer is late, and the kernel gives
# up when it tests it.
qemu_x86_64() {
	local dir=$1 limit=$2 serial=$3 accel drives
	read -ra accel <<<"$(accelerator)"
	drives=(-drive "file=$dir/disk,format=raw,if=virtio,cache=unsafe")
	[[ ! -e $dir/input ]] || drives+=(-drive "file=$dir/input,format=raw,if=virtio,readonly=on")
	timeout --foreground -k 5 "$limit" qemu-system-x86_64 "${accel[@]}" -machine q35 -smp "$GUEST_CPUS" -m "$GUEST_MB" \
		-nodefaults -display none -no-reboot -kernel "$KERNEL/vmlinuz" -initrd "$dir/initramfs" \
		-append "console=ttyS0 no_timer_check job=ttyS1 report=ttyS2 $(kernel_parameters)" "${drives[@]}" \
		-serial "file:$dir/console" -serial "$serial" -serial "file:$dir/report"
}

# qemu_arm DIR LIMIT SERIAL: the same for 32-bit ARM. That board has one serial line,
# and the kernel finds the last device first.
qemu_arm() {
	local dir=$1 limit=$2 serial=$3 drives=() job=(-chardev 'stdio,id=job')
	[[ ! -e $dir/input ]] || drives+=(-drive "file=$dir/input,format=raw,if=none,id=input,readonly=on"
		-device 'virtio-blk-device,drive=input')
	drives+=(-drive "file=$dir/disk,format=raw,if=none,id=disk,cache=unsafe" -device 'virtio-blk-device,drive=disk')
	[[ $serial == stdio ]] || job=(-chardev 'stdio,id=job,mux=on,signal=off' -mon 'chardev=job')
	timeout --foreground -k 5 "$limit" qemu-system-arm "${ARM_MACHINE[@]}" -smp "$GUEST_CPUS" -m "$ARM_MB" \
		-nodefaults -display none -no-reboot -kernel "$KERNEL/vmlinuz" -initrd "$dir/initramfs" \
		-append "$ARM_PARAMETERS job=hvc0 report=hvc1 $(kernel_parameters)" "${drives[@]}" \
		-serial "file:$dir/console" "${job[@]}" -chardev "file,id=report,path=$dir/report" \
		-device virtio-serial-device -device 'virtconsole,chardev=job' -device 'virtconsole,chardev=report'
}

kernel_parameters() {
	echo "loglevel=7 panic=-1 oops=panic kunit.autorun=1 ${NULL_BLK[*]/#/null_blk.} ${GUEST_PARAMETERS[*]}"
}

# boot_guest DIR LIMIT: boot the tree DIR/tree with the job in it; DIR/disk and,
# if present, DIR/input are its disks. The job's output goes to standard output
# and DIR/output, the kernel's to DIR/console. Returns the job's status.
boot_guest() {
	local dir=$1 limit=$2 word status=0 report
	word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	echo "$word" >"$dir/tree/word"
	(cd "$dir/tree" && find . | cpio --quiet -o -H newc -R 0:0 >"$dir/initramfs")
	: >"$dir/console"
	: >"$dir/report"
	if [[ ! -e $dir/tree/interactive ]]; then
		"qemu_$KERNEL_ARCH" "$dir" "$limit" stdio </dev/null > >(tee "$dir/output") || status=$?
		wait $!
	else
		"qemu_$KERNEL_ARCH" "$dir" "$limit" mon:stdio || status=$?
	fi
	((status != 124)) || { note "the guest was still running after $limit s"; return 124; }
	((status == 0)) || { note "QEMU ended with status $status"; return 125; }
	report=$(tr -d '\r' <"$dir/report")
	case $report in
		"$word "[0-9]*) return "${report#"$word "}" ;;
		"$word "*) note "${report#"$word "}" ;;
		*) note "the guest stopped without reporting a status" ;;
	esac
	return 126
}
