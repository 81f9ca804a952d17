package posix

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// An argSet is one value of an option, with the other names that it has.
type argSet []string

// argMatch is gnulib's XARGMATCH: a value may be cut short as long as it is not ambiguous.
func argMatch(p *kernel.Process, value, what string, sets []argSet) (string, bool) {
	hit := ""
	kind := "invalid"
	for _, s := range sets {
		for _, n := range s {
			if n == value {
				return s[0], true
			}
			if strings.HasPrefix(n, value) {
				if hit != "" && hit != s[0] {
					kind = "ambiguous"
				}
				hit = s[0]
			}
		}
	}
	if hit != "" && kind != "ambiguous" {
		return hit, true
	}
	p.Errorf("%s argument %s for %s", kind, libc.Quote(value), libc.Quote(what))
	p.Warnf("Valid arguments are:\n")
	for _, s := range sets {
		for i, n := range s {
			if i == 0 {
				p.Warnf("  - %s", libc.Quote(n))
			} else {
				p.Warnf(", %s", libc.Quote(n))
			}
		}
		p.Warnf("\n")
	}
	libc.Usage(p, 1)
	return "", false
}

// backups is how cp, mv, ln and install keep what they overwrite.
type backups struct{ control, suffix string }

// backups reads -b, --backup and -S; nil keeps nothing.
func readBackups(p *kernel.Process, o *libc.Options) (*backups, bool) {
	if !o.Has("b", "backup", "S") {
		return nil, true
	}
	control, what := p.Getenv("VERSION_CONTROL"), "$VERSION_CONTROL"
	for _, x := range o.Order {
		if x.Name == "backup" && x.Given {
			control, what = x.Value, "backup type"
		}
	}
	b := &backups{control: "existing", suffix: "~"}
	if control != "" {
		var ok bool
		if b.control, ok = argMatch(p, control, what,
			[]argSet{{"none", "off"}, {"simple", "never"}, {"existing", "nil"}, {"numbered", "t"}}); !ok {
			return nil, false
		}
	}
	if s := p.Getenv("SIMPLE_BACKUP_SUFFIX"); s != "" && !strings.Contains(s, "/") {
		b.suffix = s
	}
	if s := o.Get("S"); s != "" && !strings.Contains(s, "/") {
		b.suffix = s
	}
	if b.control == "none" {
		return nil, true
	}
	return b, true
}

var errSimpleBackup = errors.New("hosttest: a simple backup of a file in another directory is not supported")

// backUp renames what is about to be overwritten, and gives its new name.
func backUp(p *kernel.Process, b *backups, name string) (string, error) {
	if b.control == "simple" && strings.Contains(name, "/") {
		// coreutils 9.1 moves d/f to ./f~ here, which 9.2 mended: no script can want it.
		return "", errSimpleBackup
	}
	highest := 0
	if b.control != "simple" {
		dir, base := path.Split(name)
		names, err := p.ReadDir(path.Clean("./" + dir))
		if strings.HasPrefix(dir, "/") {
			names, err = p.ReadDir(dir)
		}
		if err != nil {
			return "", err
		}
		for _, n := range names {
			if rest, ok := strings.CutPrefix(n, base+".~"); ok {
				if k, err := strconv.Atoi(strings.TrimSuffix(rest, "~")); err == nil && strings.HasSuffix(rest, "~") {
					highest = max(highest, k)
				}
			}
		}
	}
	to := name + b.suffix
	if b.control == "numbered" || highest > 0 {
		to = fmt.Sprintf("%s.~%d~", name, highest+1)
	}
	err := p.Rename(name, to)
	if err == syscall.ENOENT {
		err = nil
	}
	return to, err
}
