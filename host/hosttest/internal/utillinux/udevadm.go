package utillinux

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdUdevadm(p *kernel.Process) int {
	args := p.Args[1:]
	if len(args) == 0 {
		p.Errorf("missing command")
		return 1
	}
	p.Args = append([]string{"udevadm"}, args[1:]...)
	switch args[0] {
	case "settle":
		if _, ok := libc.Getopt(p, "t:E:hV", "timeout=>t exit-if-exists=>E"); !ok {
			return 1
		}
		p.Kernel.SettleDevices()
		return 0
	case "trigger":
		if _, ok := libc.Getopt(p, "vnqt:c:s:S:a:A:p:g:y:b:wh",
			"verbose>v dry-run>n quiet>q type=>t action=>c subsystem-match=>s subsystem-nomatch=>S attr-match=>a "+
				"property-match=>p tag-match=>g sysname-match=>y name-match= parent-match=>b settle>w "+
				"prioritized-subsystem= initialized-match wait-daemon[="); !ok {
			return 1
		}
		p.Kernel.SettleDevices()
		return 0
	case "control":
		if _, ok := libc.Getopt(p, "esSRl:p:m:t:h",
			"exit>e reload>R reload-rules>R log-level=>l property=>p stop-exec-queue>s start-exec-queue>S "+
				"children-max=>m timeout=>t ping"); !ok {
			return 1
		}
		return 0
	case "info":
		return udevInfo(p)
	}
	p.Warnf("Unknown command verb %s.\n", args[0])
	return 1
}

// udevInfo is udevadm info for a block device.
func udevInfo(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "q:p:n:raxPeh",
		"query=>q path=>p name=>n root>r attribute-walk>a export>x export-prefix=>P property= value export-db>e")
	if !ok {
		return 1
	}
	name := o.Get("n")
	if name == "" && len(o.Args) > 0 {
		name = o.Args[0]
	}
	if name != "" && !strings.HasPrefix(name, "/") {
		name = "/dev/" + name
	}
	dev := device(p, name)
	if dev == nil {
		p.Warnf("Unknown device \"%s\": No such device\n", name)
		return 1
	}
	props := []tag{{"DEVNAME", "/dev/" + dev.Name}, {"DEVTYPE", "disk"}, {"SUBSYSTEM", "block"},
		{"ID_SERIAL_SHORT", dev.Disk.Serial}, {"ID_MODEL", strings.ReplaceAll(dev.Disk.Model, " ", "_")},
		{"ID_BUS", "usb"}}
	if dev != dev.Disk.Whole {
		props[1].value = "partition"
	}
	switch o.Get("q") {
	case "name":
		p.Print(dev.Name, "\n")
	case "symlink":
		p.Print(strings.Join(dev.Links(), " "), "\n")
	case "property":
		for _, t := range props {
			if want := o.Get("property"); want != "" && want != t.name {
				continue
			}
			if o.Has("value") {
				p.Print(t.value, "\n")
			} else {
				p.Print(t.name, "=", t.value, "\n")
			}
		}
	default:
		p.Warnf("hosttest: udevadm info knows -q name, -q symlink and -q property\n")
		return 1
	}
	return 0
}
