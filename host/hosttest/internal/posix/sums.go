package posix

import (
	"encoding/hex"
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

// escapeName is how the digest tools write a name with a backslash or a newline: escaped, with a backslash before the
// line.
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

// checkSums is -c.
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
		c := &sumCheck{p: p, o: o, newHash: newHash}
		for line := range strings.Lines(string(b)) {
			c.line(strings.TrimSuffix(line, "\n"))
		}
		if f == "-" {
			f = "'standard input'"
		}
		if !c.report(f) {
			code = 1
		}
	}
	return code
}

// A sumCheck checks one list of sums, and counts.
type sumCheck struct {
	p       *kernel.Process
	o       *libc.Options
	newHash func() hash.Hash

	good, bad, missing, malformed int
}

// line checks one line of the list.
func (c *sumCheck) line(line string) {
	want, name, ok := parseSum(line, c.newHash().Size()*2)
	if !ok {
		c.malformed++
		return
	}
	h := c.newHash()
	d, err := libc.OpenInput(c.p, name)
	if err == nil {
		err = hashOf(c.p, d, h)
		d.Release()
	}
	shown := name
	if strings.Contains(name, "\n") {
		pre, e := escapeName(name)
		shown = pre + e
	}
	switch {
	case err != nil && c.o.Has("ignore-missing"):
	case err != nil:
		c.missing++
		c.p.Errorf("%s: %s", libc.QuoteMaybe(name), kernel.Strerror(err))
		if !c.o.Has("status") {
			c.p.Print(shown, ": FAILED open or read\n")
		}
	case hex.EncodeToString(h.Sum(nil)) == want:
		c.good++
		if !c.o.Has("status", "quiet") {
			c.p.Print(shown, ": OK\n")
		}
	default:
		c.bad++
		if !c.o.Has("status") {
			c.p.Print(shown, ": FAILED\n")
		}
	}
}

// parseSum reads a line with a sum of size hexadecimal digits.
func parseSum(line string, size int) (sum, name string, ok bool) {
	l, escaped := strings.CutPrefix(line, `\`)
	if strings.HasPrefix(l, "#") || len(l) < size+2 || l[size] != ' ' {
		return "", "", false
	}
	sum, name = strings.ToLower(l[:size]), l[size+1:]
	if strings.Trim(sum, "0123456789abcdef") != "" {
		return "", "", false
	}
	if name[0] == ' ' || name[0] == '*' {
		name = name[1:]
	}
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
	}
	return sum, name, name != ""
}

// report says what is wrong with the list as a whole, and tells whether it is good.
func (c *sumCheck) report(list string) bool {
	p, o := c.p, c.o
	p.Flush()
	checked := c.good + c.bad + c.missing
	if checked == 0 && c.malformed > 0 {
		p.Errorf("%s: no properly formatted checksum lines found", list)
		return false
	}
	if !o.Has("status") {
		warnings := []struct {
			n               int
			one, many, what string
		}{
			{c.malformed, "line is", "lines are", "improperly formatted"},
			{c.missing, "listed file", "listed files", "could not be read"},
			{c.bad, "computed checksum", "computed checksums", "did NOT match"},
		}
		for _, w := range warnings {
			switch {
			case w.n == 1:
				p.Errorf("WARNING: 1 %s %s", w.one, w.what)
			case w.n > 1:
				p.Errorf("WARNING: %d %s %s", w.n, w.many, w.what)
			}
		}
		if o.Has("ignore-missing") && checked == 0 {
			p.Errorf("%s: no file was verified", list)
		}
	}
	return c.bad+c.missing == 0 && !(o.Has("strict") && c.malformed > 0) && !(o.Has("ignore-missing") && checked == 0)
}
