package utillinux

import (
	"maps"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// cmdUpdateCA makes /etc/ssl/certs/ca-certificates.crt from what is trusted, and counts what changed.
func cmdUpdateCA(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "vfh", "verbose>v fresh>f help>h default")
	if !ok {
		return 1
	}
	_ = o
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	certs := map[string]string{}
	conf, _ := p.ReadFile("/etc/ca-certificates.conf")
	for l := range strings.SplitSeq(string(conf), "\n") {
		if l == "" || l[0] == '#' || l[0] == '!' {
			continue
		}
		certs[strings.TrimSuffix(path.Base(l), ".crt")+".pem"] = "/usr/share/ca-certificates/" + l
	}
	libc.Walk(p, "/usr/local/share/ca-certificates", true, func(name string, st kernel.Stat) error {
		if strings.HasSuffix(name, ".crt") && !st.IsDir() {
			certs[strings.TrimSuffix(path.Base(name), ".crt")+".pem"] = name
		}
		return nil
	})
	added, removed := 0, 0
	if err := p.Access("/etc/ssl/certs", kernel.MayWrite); err != nil {
		p.Warnf("mktemp: failed to create file via template '/etc/ssl/certs/ca-certificates.txt.XXXXXX': %s\n", kernel.Strerror(err))
		return 1
	}
	p.Print("Updating certificates in /etc/ssl/certs...\n")
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(certs)) {
		b, err := p.ReadFile(certs[name])
		if err != nil {
			p.Warnf("W: %s not found, but listed in /etc/ca-certificates.conf.\n", certs[name])
			continue
		}
		if !strings.Contains(string(b), "-----BEGIN CERTIFICATE-----") {
			p.Warnf("rehash: warning: skipping %s,it does not contain exactly one certificate or CRL\n", name)
		}
		text.Write(b)
		if len(b) > 0 && b[len(b)-1] != '\n' {
			text.WriteByte('\n')
		}
		link := "/etc/ssl/certs/" + name
		if st, err := p.Lstat(link); err != nil || st.Target != certs[name] {
			if err == nil {
				p.Unlink(link)
			}
			p.Symlink(certs[name], link)
			added++
		}
	}
	for l := range strings.SplitSeq(string(conf), "\n") {
		if name, ok := strings.CutPrefix(l, "!"); ok {
			link := "/etc/ssl/certs/" + strings.TrimSuffix(path.Base(name), ".crt") + ".pem"
			if st, err := p.Lstat(link); err == nil && st.IsSymlink() {
				p.Unlink(link)
				removed++
			}
		}
	}
	// Links to files that are gone stay, until other links are made or removed.
	if added+removed > 0 {
		names, _ := p.ReadDir("/etc/ssl/certs")
		for _, n := range names {
			if _, err := p.Stat("/etc/ssl/certs/" + n); err != nil {
				p.Unlink("/etc/ssl/certs/" + n)
			}
		}
	}
	old, _ := p.ReadFile(bundle)
	if string(old) != text.String() {
		if err := libc.ReplaceFile(p, bundle, []byte(text.String()), 0o644); err != nil {
			p.Errorf("%s: %s", bundle, kernel.Strerror(err))
			return 1
		}
	}
	p.Printf("%d added, %d removed; done.\nRunning hooks in /etc/ca-certificates/update.d...\ndone.\n", added, removed)
	return 0
}
