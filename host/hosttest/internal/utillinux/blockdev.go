package utillinux

import (
	"slices"
	"strconv"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdBlockdev(p *kernel.Process) int {
	try := func() int {
		p.Warnf("Try 'blockdev --help' for more information.\n")
		return 1
	}
	var commands []string
	var devices []string
	known := []string{"--getsize64", "--getsz", "--getsize", "--getss", "--getpbsz", "--getbsz", "--getro", "--getra",
		"--flushbufs", "--rereadpt", "--getiomin", "--getmaxsect"}
	for _, a := range p.Args[1:] {
		switch {
		case !strings.HasPrefix(a, "-"):
			devices = append(devices, a)
		case a == "--", a == "-q", a == "-v":
		case a == "--setro", a == "--setrw", a == "--report":
			p.Errorf("hosttest: this blockdev has no %s", a)
			return 1
		case slices.Contains(known, a):
			commands = append(commands, a)
		default:
			p.Errorf("Unknown command: %s", a)
			return try()
		}
	}
	if len(p.Args) == 1 {
		p.Errorf("not enough arguments")
		return try()
	}
	if len(devices) == 0 {
		p.Errorf("no device specified")
		return try()
	}
	for _, name := range devices {
		if err := p.Access(name, kernel.MayRead); err != nil {
			p.Errorf("cannot open %s: %s", name, kernel.Strerror(err))
			return 1
		}
		dev := device(p, name)
		for _, c := range commands {
			if dev == nil {
				p.Errorf("ioctl error on %s: %s",
					map[string]string{"--getsize64": "BLKGETSIZE64", "--getsz": "BLKGETSIZE64", "--getss": "BLKSSZGET",
						"--getro": "BLKROGET"}[c], kernel.Strerror(syscall.ENOTTY))
				return 1
			}
			switch c {
			case "--getsize64":
				p.Print(strconv.FormatInt(dev.Size, 10), "\n")
			case "--getsz", "--getsize":
				p.Print(strconv.FormatInt(dev.Size/512, 10), "\n")
			case "--getss", "--getpbsz", "--getiomin":
				p.Print("512\n")
			case "--getbsz":
				p.Print("4096\n")
			case "--getro":
				p.Print("0\n")
			case "--getra", "--getmaxsect":
				p.Print("256\n")
			case "--rereadpt":
				switch {
				case dev != dev.Disk.Whole:
					p.Errorf("ioctl error on BLKRRPART: %s", kernel.Strerror(syscall.EINVAL))
					return 1
				case inUse(p.Kernel, dev) != "":
					p.Errorf("ioctl error on BLKRRPART: %s", kernel.Strerror(syscall.EBUSY))
					return 1
				}
				p.Kernel.SettleDevices()
			}
		}
	}
	return 0
}
