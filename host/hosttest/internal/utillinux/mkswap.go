package utillinux

import (
	"cmp"
	"io"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdMkswap(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "cfp:qL:v:U:e:o:hV",
		"check>c force>f pagesize=>p quiet>q label=>L swapversion=>v uuid=>U endianness=>e offset=>o verbose lock[=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("Nowhere to set up swap on?")
		return libc.Usage(p, 1)
	}
	name, label := o.Args[0], o.Get("L")
	uuid := cmp.Or(o.Get("U"), kernel.NewUUID())
	if o.Has("U") && !isUUID(uuid) {
		p.Errorf("error: parsing UUID failed")
		return 1
	}
	st, err := p.Stat(name)
	if err == nil {
		err = p.Access(name, kernel.MayRead|kernel.MayWrite)
	}
	if err != nil {
		p.Errorf("cannot open %s: %s", name, kernel.Strerror(err))
		return 1
	}
	dev := device(p, name)
	size := st.Size
	switch {
	case dev != nil:
		size = dev.Size
		if where := inUse(p.Kernel, dev); where != "" {
			p.Errorf("error: %s is mounted; will not make swapspace", name)
			return 1
		}
	case slices.Contains(p.Kernel.SwapList(), st.Path):
		p.Errorf("error: %s is mounted; will not make swapspace", name)
		return 1
	case !st.IsRegular():
		p.Errorf("hosttest: %s: this mkswap knows files and block devices", name)
		return 1
	}
	if size < 10*4096 {
		p.Errorf("error: swap area needs to be at least %d KiB", 40)
		return 1
	}
	if dev == nil && st.Perm()&0o077 != 0 {
		p.Errorf("%s: insecure permissions %04o, fix with: chmod 0600 %s", name, st.Perm(), name)
	}
	if err := writeSwap(p, name, dev, label, uuid); err != nil {
		p.Errorf("unable to write signature page: %s", kernel.Strerror(err))
		return 1
	}
	if !o.Has("q") {
		usable := (size/4096 - 1) * 4096
		p.Printf("Setting up swapspace version 1, size = %s (%d bytes)\n", longSize(usable), usable)
		if label == "" {
			p.Print("no label, ")
		} else {
			p.Print("LABEL=", label, ", ")
		}
		p.Print("UUID=", uuid, "\n")
	}
	return 0
}

// writeSwap writes the signature to a device, or to the file name when dev is nil.
func writeSwap(p *kernel.Process, name string, dev *kernel.Partition, label, uuid string) error {
	if dev != nil {
		for _, s := range signatures(dev) {
			p.Errorf("%s: warning: wiping old %s signature.", name, s.kind)
			break
		}
		return makeFS(p, dev, "swap", label, strings.ToLower(uuid))
	}
	d, err := p.Open(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer d.Release()
	if _, err = d.Seek(4096-int64(len(swapMagic)), io.SeekStart); err != nil {
		return err
	}
	_, err = d.Write(p, []byte(swapMagic))
	return err
}

// longSize writes a size as "10 MiB".
func longSize(n int64) string {
	s := humanSize(n)
	unit := s[len(s)-1:]
	if unit == "B" {
		return s[:len(s)-1] + " bytes"
	}
	return s[:len(s)-1] + " " + unit + "iB"
}
