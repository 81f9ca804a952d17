package posix

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

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

func cmdBase64(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "diw:", "decode>d ignore-garbage>i wrap=>w")
	if !ok {
		return libc.Usage(p, 1)
	}
	wrap := 76
	if o.Has("w") {
		n, err := strconv.Atoi(o.Get("w"))
		if err != nil {
			p.Errorf("invalid wrap size: %s", libc.Quote(o.Get("w")))
			return 1
		}
		wrap = n
	}
	if len(o.Args) > 1 {
		p.Errorf("extra operand %s", libc.Quote(o.Args[1]))
		return libc.Usage(p, 1)
	}
	bad := false
	code := libc.EachInput(p, o.Args, func(_ string, d *kernel.File) error {
		b, err := p.ReadAll(d)
		if err != nil {
			return err
		}
		if o.Has("d") {
			b = bytes.ReplaceAll(b, []byte("\n"), nil)
			out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
			n, err := base64.StdEncoding.Decode(out, b)
			p.Print(string(out[:n]))
			bad = err != nil
			return nil
		}
		s := base64.StdEncoding.EncodeToString(b)
		for wrap > 0 && len(s) > wrap {
			p.Print(s[:wrap], "\n")
			s = s[wrap:]
		}
		p.Print(s)
		if s != "" && wrap > 0 {
			p.Print("\n")
		}
		return nil
	})
	if bad {
		p.Flush()
		p.Errorf("invalid input")
		return 1
	}
	return code
}

func cmdOd(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "A:j:N:t:vw::bcdox", "address-radix=>A skip-bytes=>j read-bytes=>N format=>t output-duplicates>v width[=>w")
	if !ok {
		return libc.Usage(p, 1)
	}
	radix := "o"
	if o.Has("A") {
		radix = o.Get("A")
	}
	kind := "o2"
	if o.Has("t") {
		kind = o.Get("t")
	}
	for opt, k := range map[string]string{"b": "o1", "c": "c", "x": "x2", "d": "u2", "o": "o2"} {
		if o.Has(opt) {
			kind = k
		}
	}
	width := 16
	if o.Has("w") {
		width = 32
		if n, err := strconv.Atoi(o.Get("w")); err == nil {
			width = n
		}
	}
	var data []byte
	code := libc.EachInput(p, o.Args, func(_ string, d *kernel.File) error {
		if o.Has("N") {
			n, _ := libc.ByteCount(o.Get("N"))
			skip, _ := libc.ByteCount(o.Get("j"))
			buf := make([]byte, n+skip)
			got := 0
			for got < len(buf) {
				k, err := d.Read(p, buf[got:])
				p.Check()
				got += k
				if err == io.EOF {
					break
				}
				if err != nil {
					return err
				}
			}
			data = append(data, buf[:got]...)
			return nil
		}
		b, err := p.ReadAll(d)
		data = append(data, b...)
		return err
	})
	skip := int64(0)
	if o.Has("j") {
		skip, _ = libc.ByteCount(o.Get("j"))
		data = data[min(skip, int64(len(data))):]
	}
	if o.Has("N") {
		n, _ := libc.ByteCount(o.Get("N"))
		data = data[:min(n, int64(len(data)))]
	}
	addr := func(n int64) string {
		switch radix {
		case "n":
			return ""
		case "d":
			return fmt.Sprintf("%07d", n)
		case "x":
			return fmt.Sprintf("%06x", n)
		}
		return fmt.Sprintf("%07o", n)
	}
	unit := 1
	if len(kind) > 1 {
		unit, _ = strconv.Atoi(kind[1:])
	}
	if unit < 1 || unit > 8 {
		p.Errorf("invalid type string %s", libc.Quote(kind))
		return 1
	}
	var last []byte
	starred := false
	for off := 0; off < len(data); off += width {
		row := data[off:min(off+width, len(data))]
		if !o.Has("v") && last != nil && bytes.Equal(row, last) && len(row) == width {
			if !starred {
				p.Print("*\n")
				starred = true
			}
			continue
		}
		last, starred = row, false
		p.Print(addr(int64(off) + skip))
		for i := 0; i < len(row); i += unit {
			var v uint64
			for j := min(unit, len(row)-i) - 1; j >= 0; j-- {
				v = v<<8 | uint64(row[i+j])
			}
			switch kind[0] {
			case 'x':
				p.Printf(" %0*x", unit*2, v)
			case 'o':
				p.Printf(" %0*o", []int{0, 3, 6, 0, 11, 0, 0, 0, 22}[unit], v)
			case 'u':
				p.Printf(" %*d", []int{0, 3, 5, 0, 10, 0, 0, 0, 20}[unit], v)
			case 'd':
				p.Printf(" %*d", []int{0, 4, 6, 0, 11, 0, 0, 0, 20}[unit], int64(v))
			case 'c':
				c := byte(v)
				s := string(rune(c))
				switch {
				case c == 0:
					s = `\0`
				case c >= 7 && c <= 13:
					s = `\` + "abtnvfr"[c-7:c-6]
				case c < 32 || c >= 127:
					s = fmt.Sprintf("%03o", c)
				}
				p.Printf(" %3s", s)
			default:
				p.Errorf("invalid character '%c' in type string %s", kind[0], libc.Quote(kind))
				return 1
			}
		}
		p.Print("\n")
	}
	if a := addr(int64(len(data)) + skip); a != "" {
		p.Print(a, "\n")
	}
	return code
}
