package apt

import (
	"cmp"
	"maps"
	"path"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

const debMagic = "!<arch>\nhosttest "

// Deb is a .deb file, which dpkg and apt-get can install when the package is in the machine's archive.
func Deb(name, version string) []byte { return []byte(debMagic + name + " " + version + "\n") }

// packageOf reads a .deb file.
func packageOf(k *kernel.Kernel, deb []byte) (Package, bool) {
	f := strings.Fields(strings.TrimPrefix(string(deb), debMagic))
	if !strings.HasPrefix(string(deb), debMagic) || len(f) != 2 {
		return Package{}, false
	}
	return inArchive(k, f[0], f[1])
}

func (pk Package) arch(machine string) string { return cmp.Or(pk.Arch, machine) }

// stanza is the package in dpkg's status file, or in a list of packages when status is empty.
func (pk Package) stanza(arch, status string) *stanza {
	s := &stanza{fields: map[string]string{}}
	s.set("Package", pk.Name)
	if status != "" {
		s.set("Status", status)
	}
	s.set("Priority", "optional")
	s.set("Section", "misc")
	s.set("Installed-Size", strconv.Itoa(pk.kilobytes()))
	s.set("Maintainer", "Debian Developers <debian-devel@lists.debian.org>")
	s.set("Architecture", pk.arch(arch))
	s.set("Version", pk.Version)
	if pk.Depends != "" {
		s.set("Depends", pk.Depends)
	}
	if pk.Conflicts != "" {
		s.set("Conflicts", pk.Conflicts)
	}
	if pk.Provides != "" {
		s.set("Provides", pk.Provides)
	}
	s.set("Description", "the package "+pk.Name)
	return s
}

func (pk Package) kilobytes() int {
	n := 16
	for _, f := range []map[string]string{pk.Files, pk.Conffiles, pk.Units} {
		for _, s := range f {
			n += 1 + len(s)>>10
		}
	}
	return n + 64*len(pk.Commands)
}

// content gives all that dpkg unpacks but the configuration files.
func (pk Package) content() map[string]string {
	out := maps.Clone(pk.Files)
	if out == nil {
		out = map[string]string{}
	}
	for name, text := range pk.Units {
		out["/lib/systemd/system/"+name] = text
	}
	for name := range pk.Commands {
		out[commandPath(name)] = string(kernel.Binary(path.Base(name)))
	}
	return out
}

func commandPath(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return "/usr/bin/" + name
}
