package posix

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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
