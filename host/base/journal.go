package base

import (
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Journal limits what systemd's journal takes: it writes to the SD card, which wears out and fills up.
type Journal struct {
	Disk   string `yaml:"disk"`   // of /var/log/journal: "200M"; empty leaves it
	Memory string `yaml:"memory"` // of /run/log/journal, used until the disk is there, or instead of it: "50M"; empty leaves it

	// Volatile keeps the journal in memory alone, so that nothing is written to the SD card, and nothing of before a
	// reboot can be read. False leaves it.
	Volatile bool `yaml:"volatile"`
}

// journalSize are the sizes of journald.conf(5): bytes, with a suffix for powers of 1024.
var journalSize = regexp.MustCompile(`^[1-9][0-9]*[KMGT]?$`)

// Validate returns everything that is wrong with the Journal. Paths name its fields.
func (j Journal) Validate() (ps lab.Problems) {
	for _, f := range [][2]string{{"disk", j.Disk}, {"memory", j.Memory}} {
		if f[1] != "" && !journalSize.MatchString(f[1]) {
			ps = append(ps, lab.Problem{Path: f[0], Text: f[1], Message: "is not a size", Hint: `"200M": a number and K, M, G or T`})
		}
	}
	return ps
}

// resources returns a file of journald, and its restart: it hands over what is written meanwhile, and loses nothing.
func (j Journal) resources() host.State {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			b.WriteString(key + "=" + value + "\n")
		}
	}
	line("SystemMaxUse", j.Disk)
	line("RuntimeMaxUse", j.Memory)
	if j.Volatile {
		line("Storage", "volatile")
	}
	if b.Len() == 0 {
		return nil
	}
	conf := host.File{Path: "/etc/systemd/journald.conf.d/90-lab.conf", Content: "[Journal]\n" + b.String()}
	return host.State{
		host.Directory{Path: "/etc/systemd/journald.conf.d"}, conf,
		host.Unit{Name: "systemd-journald.service", State: host.Started, RestartOn: []string{conf.ID()}},
	}
}
