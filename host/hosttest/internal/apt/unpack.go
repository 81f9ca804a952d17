package apt

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// listText is the content of a package's .list file.
func (pk Package) listText() string {
	seen := map[string]bool{"/.": true}
	add := func(file string) {
		for f := strings.TrimSuffix(file, "/"); f != "/" && f != "."; f = path.Dir(f) {
			seen[f] = true
		}
	}
	for f := range pk.content() {
		add(f)
	}
	for f := range pk.Conffiles {
		add(f)
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), "\n") + "\n"
}

// unpacking is the unpacking of one package.
type unpacking struct {
	p        *kernel.Process
	pk       Package
	old      *stanza // the package in the status file before; nil when it was never there
	was      string  // its status
	fresh    bool    // it is not installed yet
	oldFiles []string
	done     []string // the new files, which go away again on an error
}

// unpack installs a package whose dependencies are there. unconfigured leaves it unpacked.
func unpack(p *kernel.Process, pk Package, unconfigured bool) error {
	u := &unpacking{p: p, pk: pk, old: findPackage(p.Kernel, pk.Name), was: "not-installed"}
	if u.old != nil {
		_, _, u.was = u.old.state()
	}
	u.fresh = u.was == "not-installed" || u.was == "config-files"
	if err := u.begin(); err != nil {
		return err
	}
	if u.old != nil && !u.fresh {
		b, _ := p.ReadFile(listFile(p.Kernel, u.old))
		u.oldFiles = strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	for _, step := range []func() error{u.placeFiles, u.placeConffiles, u.removeOldFiles, u.placeInfo} {
		if err := step(); err != nil {
			u.undo()
			return err
		}
	}
	for name, c := range pk.Commands {
		if c != nil {
			p.Kernel.Handle(path.Base(name), c)
		}
	}
	if err := note(p, pk.Name, u.unpacked); err != nil {
		return err
	}
	p.Flush()
	if unconfigured {
		return nil
	}
	return configure(p, pk.Name)
}

// begin refuses a package that conflicts with another, and notes that the package is being installed.
func (u *unpacking) begin() error {
	p, pk, arch := u.p, u.pk, u.p.Kernel.Config.Arch
	for _, any := range parseRelations(pk.Conflicts) {
		if c := findPackage(p.Kernel, any[0].name); c != nil && c.get("Package") != pk.Name {
			if _, _, st := c.state(); st != "not-installed" && st != "config-files" {
				return fmt.Errorf("conflicting packages - not installing %s", pk.Name)
			}
		}
	}
	p.Printf("Preparing to unpack .../%s ...\n", pk.debFile(arch))
	if u.fresh {
		p.Printf("Unpacking %s (%s) ...\n", pk.Name, pk.Version)
		dpkgLog(p, "install %s:%s <none> %s", pk.Name, pk.arch(arch), pk.Version)
	} else {
		old := u.old.get("Version")
		p.Printf("Unpacking %s (%s) over (%s) ...\n", pk.Name, pk.Version, old)
		dpkgLog(p, "upgrade %s:%s %s %s", pk.Name, pk.arch(arch), old, pk.Version)
	}
	p.Flush()
	return note(p, pk.Name, func(s *stanza) *stanza {
		if s == nil {
			return pk.stanza(arch, "install reinstreq half-installed")
		}
		want, _, _ := s.state()
		if want != "hold" {
			want = "install"
		}
		s.set("Status", want+" reinstreq half-installed")
		return s
	})
}

// undo does what dpkg does after an error, as far as it can: what was new goes away again, and the package is what it
// was.
func (u *unpacking) undo() {
	if !u.fresh {
		return
	}
	for _, f := range u.done {
		u.p.Unlink(f)
	}
	// The error that led here is the one that is told.
	_ = note(u.p, u.pk.Name, func(*stanza) *stanza { return u.old })
}

// placeFiles writes the package's files.
func (u *unpacking) placeFiles() error {
	content := u.pk.content()
	for _, f := range slices.Sorted(maps.Keys(content)) {
		perm := uint32(0o644)
		if strings.HasPrefix(content[f], kernel.BinaryMagic) || strings.HasPrefix(content[f], "#!") {
			perm = 0o755
		}
		if err := place(u.p, f, content[f], perm); err != nil {
			return err
		}
		if !strings.HasSuffix(f, "/") && !slices.Contains(u.oldFiles, f) {
			u.done = append(u.done, f)
		}
	}
	return nil
}

// placeConffiles writes the configuration files beside those that are there. Configuring decides between them.
func (u *unpacking) placeConffiles() error {
	for _, f := range slices.Sorted(maps.Keys(u.pk.Conffiles)) {
		if err := libc.MkdirOne(u.p, path.Dir(f), true, nil, false); err != nil {
			return err
		}
		if err := writeSynced(u.p, f+".dpkg-new", u.pk.Conffiles[f], 0o644); err != nil {
			return fmt.Errorf("cannot copy extracted data for '.%s' to '%s.dpkg-new': failed to write (%s)",
				f, f, kernel.Strerror(err))
		}
		u.done = append(u.done, f+".dpkg-new")
	}
	return nil
}

// removeOldFiles removes what the version before had and this one has not, but for configuration files.
func (u *unpacking) removeOldFiles() error {
	content, list := u.pk.content(), strings.Split(u.pk.listText(), "\n")
	for _, f := range u.oldFiles {
		if _, kept := content[f]; kept || slices.Contains(list, f) || conffileHash(u.old, f) != "" {
			continue
		}
		if st, err := u.p.Lstat(f); err == nil && !st.IsDir() {
			if err := u.p.Unlink(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// placeInfo writes what dpkg keeps of the package in its database: the scripts and the lists of files.
func (u *unpacking) placeInfo() error {
	info := "/var/lib/dpkg/info/" + u.pk.Name
	conffiles := ""
	for _, f := range slices.Sorted(maps.Keys(u.pk.Conffiles)) {
		conffiles += f + "\n"
	}
	for _, x := range []struct {
		suffix, text string
		perm         uint32
	}{
		{".conffiles", conffiles, 0o644},
		{".postinst", scriptText(u.pk.Postinst), 0o755},
		{".prerm", scriptText(u.pk.Prerm), 0o755},
	} {
		if x.text == "" {
			if err := u.p.Unlink(info + x.suffix); err != nil && err != syscall.ENOENT {
				return err
			}
			continue
		}
		if err := placeAs(u.p, info+x.suffix+".dpkg-new", info+x.suffix, x.text, x.perm); err != nil {
			return err
		}
	}
	return placeAs(u.p, info+".list-new", info+".list", u.pk.listText(), 0o644)
}

// scriptText is a maintainer script as its file holds it; "" when there is none.
func scriptText(s string) string {
	if s == "" || strings.HasPrefix(s, "#!") {
		return s
	}
	return "#!/bin/sh\nset -e\n" + s + "\n"
}

// unpacked is the package in the status file when it is unpacked.
func (u *unpacking) unpacked(s *stanza) *stanza {
	want, _, _ := s.state()
	n := u.pk.stanza(u.p.Kernel.Config.Arch, want+" ok unpacked")
	if !u.fresh && u.was != "half-installed" {
		n.set("Config-Version", cmp.Or(s.get("Config-Version"), u.old.get("Version")))
	} else if v := s.get("Config-Version"); v != "" {
		n.set("Config-Version", v)
	}
	// The digests of the configuration files as the last configured version had them.
	text := ""
	for _, f := range slices.Sorted(maps.Keys(u.pk.Conffiles)) {
		text += "\n " + f + " " + cmp.Or(conffileHash(s, f), "newconffile")
	}
	if text != "" {
		n.set("Conffiles", text)
	}
	return n
}

// conffileHash is the digest of a configuration file in its package's last configured version; "" when there was none.
func conffileHash(s *stanza, file string) string {
	if s == nil {
		return ""
	}
	for line := range strings.SplitSeq(s.get("Conffiles"), "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == file {
			return f[1]
		}
	}
	return ""
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
