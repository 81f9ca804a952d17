package utillinux

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

var swaponColumns = []column{{name: "NAME"}, {name: "TYPE"}, {name: "SIZE", right: true}, {name: "USED", right: true},
	{name: "PRIO", right: true}, {name: "UUID"}, {name: "LABEL"}}

func cmdSwapon(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ad::efhL:o:p:sT:U:vV",
		"all>a discard[=>d ifexists>e fixpgsz>f label=>L uuid=>U options=>o priority=>p summary>s show[= noheadings "+
			"raw bytes verbose>v fstab=>T")
	if !ok {
		return libc.Usage(p, 16)
	}
	if libc.Unsupported(p, o, "T") {
		return 16
	}
	switch {
	case o.Has("s"):
		if len(p.Kernel.SwapList()) > 0 {
			b, err := p.ReadFile("/proc/swaps")
			if err != nil {
				p.Errorf("/proc/swaps: %s", kernel.Strerror(err))
				return 16
			}
			p.Print(string(b))
		}
		return 0
	case o.Has("show") || len(o.Order) == 0 && len(o.Args) == 0:
		return showSwaps(p, o)
	}
	if p.UID != 0 {
		for _, a := range o.Args {
			p.Errorf("cannot open %s: %s", a, kernel.Strerror(syscall.EACCES))
		}
		return 255
	}
	var names []string
	if o.Has("a") {
		for _, l := range libc.Fstab(p.Kernel) {
			if l.FSType == "swap" && !slices.Contains(l.Options, "noauto") {
				names = append(names, l.Spec)
			}
		}
	}
	for _, tag := range []string{"L", "U"} {
		for _, v := range o.All(tag) {
			names = append(names, map[string]string{"L": "LABEL=", "U": "UUID="}[tag]+v)
		}
	}
	code := 0
	for _, n := range append(names, o.Args...) {
		code = max(code, swaponOne(p, n, o.Has("a", "e")))
	}
	return code
}

func showSwaps(p *kernel.Process, o *libc.Options) int {
	cols, ok := pickColumns(p, swaponColumns, slices.DeleteFunc(o.All("show"), func(s string) bool { return s == "" }),
		"NAME,TYPE,SIZE,USED,PRIO")
	if !ok {
		return 16
	}
	s := &sheet{cols: cols, tree: -1}
	for i, n := range p.Kernel.SwapList() {
		size := func(v int64) string {
			if o.Has("bytes") {
				return fmt.Sprint(v)
			}
			return humanSize(v)
		}
		dev := libc.FindDevice(p.Kernel, n)
		r := &sheetRow{}
		for _, c := range cols {
			v := ""
			switch c.name {
			case "NAME":
				v = n
			case "TYPE":
				v = "file"
				if dev != nil {
					v = "partition"
				}
			case "SIZE":
				v = size(p.Kernel.SwapSize(n) >> 10 << 10)
			case "USED":
				v = size(0)
			case "PRIO":
				v = fmt.Sprint(-2 - i)
			case "UUID":
				if dev != nil {
					v = dev.UUID
				}
			case "LABEL":
				if dev != nil {
					v = dev.Label
				}
			}
			r.cells = append(r.cells, v)
		}
		s.rows = append(s.rows, r)
	}
	if o.Has("raw") {
		s.raw(p, !o.Has("noheadings"))
	} else {
		s.table(p, !o.Has("noheadings"))
	}
	return 0
}

func swaponOne(p *kernel.Process, spec string, lenient bool) int {
	name := spec
	dev := libc.FindDevice(p.Kernel, spec)
	if tag, val, ok := strings.Cut(spec, "="); ok && dev == nil && !strings.HasPrefix(spec, "/") {
		if !lenient {
			p.Errorf("cannot find the device for %s=%s", tag, val)
		}
		return 255
	}
	if dev != nil {
		name = "/dev/" + dev.Name
	} else {
		name = absolute(p, spec)
	}
	if slices.Contains(p.Kernel.SwapList(), name) {
		if lenient {
			return 0
		}
		p.Errorf("%s: swapon failed: %s", name, kernel.Strerror(syscall.EBUSY))
		return 255
	}
	if dev != nil && dev.FSType != "swap" {
		p.Errorf("%s: read swap header failed", name)
		return 255
	}
	if dev == nil {
		st, err := p.Stat(name)
		if err != nil {
			p.Errorf("cannot open %s: %s", name, kernel.Strerror(err))
			return 255
		}
		if !st.IsRegular() {
			p.Errorf("%s: skipping - it is not a regular file", name)
			return 255
		}
		if st.Perm()&0o077 != 0 {
			p.Errorf("%s: insecure permissions %04o, 0600 suggested.", name, st.Perm())
		}
		if !isSwapFile(p.Kernel, name) {
			p.Errorf("%s: read swap header failed", name)
			return 255
		}
	}
	if err := p.Kernel.Mutate(nil); err != nil {
		p.Errorf("%s: swapon failed: %s", name, kernel.Strerror(err))
		return 255
	}
	p.Kernel.SwapOn(name)
	return 0
}

// isSwapFile looks for the signature of mkswap.
func isSwapFile(k *kernel.Kernel, name string) bool {
	b, err := k.FS().ReadFile(name)
	return err == nil && len(b) >= 4096 && string(b[4086:4096]) == swapMagic
}

const swapMagic = "SWAPSPACE2"

func cmdSwapoff(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ahvVL:U:T:", "all>a verbose>v fstab=>T")
	if !ok {
		return libc.Usage(p, 16)
	}
	names := o.Args
	for tag, k := range map[string]string{"L": "LABEL=", "U": "UUID="} {
		for _, v := range o.All(tag) {
			names = append(names, k+v)
		}
	}
	if o.Has("a") {
		if p.UID == 0 {
			names = append(names, p.Kernel.SwapList()...)
		}
	} else if len(names) == 0 {
		p.Errorf("bad usage")
		return libc.Usage(p, 16)
	}
	code := 0
	for _, spec := range names {
		name := spec
		if dev := libc.FindDevice(p.Kernel, spec); dev != nil {
			name = "/dev/" + dev.Name
		} else if strings.Contains(spec, "=") && !strings.HasPrefix(spec, "/") {
			p.Errorf("cannot find the device for %s", spec)
			code = max(code, 4)
			continue
		} else {
			name = absolute(p, spec)
		}
		if p.UID != 0 {
			p.Errorf("Not superuser.")
			return 16
		}
		if !slices.Contains(p.Kernel.SwapList(), name) {
			err := error(syscall.EINVAL)
			if _, e := p.Stat(name); e != nil {
				err = e
			}
			p.Errorf("%s: swapoff failed: %s", name, kernel.Strerror(err))
			code = max(code, 4)
			continue
		}
		if err := p.Kernel.Mutate(nil); err != nil {
			p.Errorf("%s: swapoff failed: %s", name, kernel.Strerror(err))
			code = max(code, 4)
			continue
		}
		if o.Has("v") {
			p.Printf("swapoff %s\n", name)
		}
		p.Kernel.SwapOff(name)
	}
	return code
}
