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

// unpack installs a package whose dependencies are there. unconfigured leaves it unpacked.
func unpack(p *kernel.Process, pk Package, unconfigured bool) error {
	k := p.Kernel
	old := findPackage(k, pk.Name)
	was := "not-installed"
	if old != nil {
		_, _, was = old.state()
	}
	fresh := was == "not-installed" || was == "config-files"
	for _, any := range parseRelations(pk.Conflicts) {
		if c := findPackage(k, any[0].name); c != nil && c.get("Package") != pk.Name {
			if _, _, st := c.state(); st != "not-installed" && st != "config-files" {
				return fmt.Errorf("conflicting packages - not installing %s", pk.Name)
			}
		}
	}
	p.Printf("Preparing to unpack .../%s ...\n", pk.debFile(k.Config.Arch))
	if fresh {
		p.Printf("Unpacking %s (%s) ...\n", pk.Name, pk.Version)
		dpkgLog(p, "install %s:%s <none> %s", pk.Name, pk.arch(k.Config.Arch), pk.Version)
	} else {
		p.Printf("Unpacking %s (%s) over (%s) ...\n", pk.Name, pk.Version, old.get("Version"))
		dpkgLog(p, "upgrade %s:%s %s %s", pk.Name, pk.arch(k.Config.Arch), old.get("Version"), pk.Version)
	}
	p.Flush()
	if err := note(p, pk.Name, func(s *stanza) *stanza {
		if s == nil {
			return pk.stanza(k.Config.Arch, "install reinstreq half-installed")
		}
		want, _, _ := s.state()
		if want != "hold" {
			want = "install"
		}
		s.set("Status", want+" reinstreq half-installed")
		return s
	}); err != nil {
		return err
	}

	content := pk.content()
	var oldFiles []string
	if old != nil && !fresh {
		b, _ := p.ReadFile(listFile(k, old))
		oldFiles = strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	var done []string
	fail := func(err error) error {
		// As dpkg does, as far as it can: what was new goes away again, and the package is what it was.
		if fresh {
			for _, f := range done {
				p.Unlink(f)
			}
			if note(p, pk.Name, func(*stanza) *stanza { return old }) != nil {
				return err
			}
		}
		return err
	}
	for _, f := range slices.Sorted(maps.Keys(content)) {
		perm := uint32(0o644)
		if strings.HasPrefix(content[f], kernel.BinaryMagic) || strings.HasPrefix(content[f], "#!") {
			perm = 0o755
		}
		if err := place(p, f, content[f], perm); err != nil {
			return fail(err)
		}
		if !strings.HasSuffix(f, "/") && !slices.Contains(oldFiles, f) {
			done = append(done, f)
		}
	}
	var conffiles strings.Builder
	for _, f := range slices.Sorted(maps.Keys(pk.Conffiles)) {
		if err := libc.MkdirOne(p, path.Dir(f), true, nil, false); err != nil {
			return fail(err)
		}
		if err := writeSynced(p, f+".dpkg-new", pk.Conffiles[f], 0o644); err != nil {
			return fail(fmt.Errorf("cannot copy extracted data for '.%s' to '%s.dpkg-new': failed to write (%s)", f, f, kernel.Strerror(err)))
		}
		done = append(done, f+".dpkg-new")
		conffiles.WriteString(f + "\n")
	}
	for _, f := range oldFiles {
		if _, kept := content[f]; kept || slices.Contains(strings.Split(pk.listText(), "\n"), f) || conffileHash(old, f) != "" {
			continue
		}
		if st, err := p.Lstat(f); err == nil && !st.IsDir() {
			if err := p.Unlink(f); err != nil {
				return fail(err)
			}
		}
	}
	info := "/var/lib/dpkg/info/" + pk.Name
	for _, x := range [][2]string{{".conffiles", conffiles.String()}, {".postinst", pk.Postinst}, {".prerm", pk.Prerm}} {
		if x[1] != "" {
			perm := uint32(0o755)
			text := x[1]
			if x[0] == ".conffiles" {
				perm = 0o644
			} else if !strings.HasPrefix(text, "#!") {
				text = "#!/bin/sh\nset -e\n" + text + "\n"
			}
			if err := placeAs(p, info+x[0]+".dpkg-new", info+x[0], text, perm); err != nil {
				return fail(err)
			}
		} else if err := p.Unlink(info + x[0]); err != nil && err != syscall.ENOENT {
			return fail(err)
		}
	}
	if err := placeAs(p, info+".list-new", info+".list", pk.listText(), 0o644); err != nil {
		return fail(err)
	}
	for name, c := range pk.Commands {
		if c != nil {
			k.Handle(path.Base(name), c)
		}
	}
	if err := note(p, pk.Name, func(s *stanza) *stanza {
		want, _, _ := s.state()
		n := pk.stanza(k.Config.Arch, want+" ok unpacked")
		if !fresh && was != "half-installed" {
			n.set("Config-Version", cmp.Or(s.get("Config-Version"), old.get("Version")))
		} else if v := s.get("Config-Version"); v != "" {
			n.set("Config-Version", v)
		}
		// The digests of the configuration files as the last configured version had them.
		text := ""
		for _, f := range slices.Sorted(maps.Keys(pk.Conffiles)) {
			text += "\n " + f + " " + cmp.Or(conffileHash(s, f), "newconffile")
		}
		if text != "" {
			n.set("Conffiles", text)
		}
		return n
	}); err != nil {
		return err
	}
	p.Flush()
	if unconfigured {
		return nil
	}
	return configure(p, pk.Name)
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
