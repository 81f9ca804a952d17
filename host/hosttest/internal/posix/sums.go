package posix

import (
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// hashOf digests what a description still holds.
func hashOf(p *kernel.Process, d *kernel.File, h hash.Hash) error {
	if d.Stream == nil && d.Gen == nil {
		// The data of a regular file is not copied: the tree is locked while it is read.
		d.Tree.Lock()
		i := d.At.Inode()
		if i != nil && i.IsReg() && len(i.Data) < 1<<20 {
			if off := min(d.Off, int64(len(i.Data))); true {
				h.Write(i.Data[off:])
				d.Off = int64(len(i.Data))
			}
			d.Tree.Unlock()
			return nil
		}
		d.Tree.Unlock()
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := d.Read(p, buf)
		p.Check()
		h.Write(buf[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// escapeName is how the digest tools write a name with a backslash or a newline: escaped, with a backslash before the line.
func escapeName(name string) (string, string) {
	if !strings.ContainsAny(name, "\\\n\r") {
		return "", name
	}
	return `\`, strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
}

func sumCommand(newHash func() hash.Hash) kernel.Program {
	return func(p *kernel.Process) int {
		o, ok := libc.Getopt(p, "bctwz", "binary>b check>c tag text>t quiet status strict warn>w zero>z ignore-missing")
		if !ok {
			return libc.Usage(p, 1)
		}
		if o.Has("c") {
			return checkSums(p, o, newHash)
		}
		h := newHash()
		return libc.EachInput(p, o.Args, func(name string, d *kernel.File) error {
			h.Reset()
			if err := hashOf(p, d, h); err != nil {
				return err
			}
			sum := hex.EncodeToString(h.Sum(nil))
			if o.Has("tag") {
				p.Print(strings.ToUpper(strings.TrimSuffix(p.Name(), "sum")), " (", name, ") = ", sum, "\n")
				return nil
			}
			mark := " "
			if o.Has("b") {
				mark = "*"
			}
			if o.Has("z") {
				p.Print(sum, " ", mark, name, "\x00")
				return nil
			}
			pre, name := escapeName(name)
			p.Print(pre, sum, " ", mark, name, "\n")
			return nil
		})
	}
}

func checkSums(p *kernel.Process, o *libc.Options, newHash func() hash.Hash) int {
	files := o.Args
	if len(files) == 0 {
		files = []string{"-"}
	}
	code := 0
	for _, f := range files {
		d, err := libc.OpenInput(p, f)
		var b []byte
		if err == nil {
			b, err = p.ReadAll(d)
			d.Release()
		}
		if err != nil {
			p.Errorf("%s: %s", f, kernel.Strerror(err))
			code = 1
			continue
		}
		good, bad, missing, malformed, checked := 0, 0, 0, 0, 0
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSuffix(line, "\n")
			escaped := strings.HasPrefix(line, `\`)
			l := strings.TrimPrefix(line, `\`)
			size := newHash().Size() * 2
			if strings.HasPrefix(l, "#") || len(l) < size+2 || strings.Trim(l[:size], "0123456789abcdefABCDEF") != "" || l[size] != ' ' {
				malformed++
				continue
			}
			want, name := strings.ToLower(l[:size]), l[size+1:]
			if name[0] == ' ' || name[0] == '*' {
				name = name[1:]
			}
			if name == "" {
				malformed++
				continue
			}
			if escaped {
				name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
			}
			h := newHash()
			fd, err := libc.OpenInput(p, name)
			if err == nil {
				err = hashOf(p, fd, h)
				fd.Release()
			}
			shown := name
			if strings.Contains(name, "\n") {
				pre, e := escapeName(name)
				shown = pre + e
			}
			if err != nil {
				if o.Has("ignore-missing") {
					continue
				}
				checked++
				missing++
				p.Errorf("%s: %s", libc.QuoteMaybe(name), kernel.Strerror(err))
				if !o.Has("status") {
					p.Print(shown, ": FAILED open or read\n")
				}
				continue
			}
			checked++
			if hex.EncodeToString(h.Sum(nil)) == want {
				good++
				if !o.Has("status", "quiet") {
					p.Print(shown, ": OK\n")
				}
			} else {
				bad++
				if !o.Has("status") {
					p.Print(shown, ": FAILED\n")
				}
			}
		}
		shown := f
		if f == "-" {
			shown = "'standard input'"
		}
		plural := func(n int, one, many string) string {
			if n == 1 {
				return fmt.Sprintf("%d %s", n, one)
			}
			return fmt.Sprintf("%d %s", n, many)
		}
		p.Flush()
		if good+bad+missing == 0 && malformed > 0 {
			p.Errorf("%s: no properly formatted checksum lines found", shown)
			code = 1
			continue
		}
		if !o.Has("status") {
			if malformed > 0 {
				p.Errorf("WARNING: %s improperly formatted", plural(malformed, "line is", "lines are"))
			}
			if missing > 0 {
				p.Errorf("WARNING: %s could not be read", plural(missing, "listed file", "listed files"))
			}
			if bad > 0 {
				p.Errorf("WARNING: %s did NOT match", plural(bad, "computed checksum", "computed checksums"))
			}
			if o.Has("ignore-missing") && checked == 0 {
				p.Errorf("%s: no file was verified", shown)
			}
		}
		if bad+missing > 0 || o.Has("strict") && malformed > 0 || o.Has("ignore-missing") && checked == 0 {
			code = 1
		}
	}
	return code
}
