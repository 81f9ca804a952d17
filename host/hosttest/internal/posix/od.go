package posix

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	odShort = "A:j:N:t:vw::bcdox"
	odLong  = "address-radix=>A skip-bytes=>j read-bytes=>N format=>t output-duplicates>v width[=>w"
)

// An odDump is what one od is to print.
type odDump struct {
	p     *kernel.Process
	o     *libc.Options
	kind  string // a letter and how many bytes it takes
	unit  int    // bytes
	width int    // bytes of a row
	skip  int64
}

func cmdOd(p *kernel.Process) int {
	o, ok := libc.Getopt(p, odShort, odLong)
	if !ok {
		return libc.Usage(p, 1)
	}
	od := &odDump{p: p, o: o, kind: "o2", unit: 1, width: 16}
	if o.Has("t") {
		od.kind = o.Get("t")
	}
	for opt, k := range map[string]string{"b": "o1", "c": "c", "x": "x2", "d": "u2", "o": "o2"} {
		if o.Has(opt) {
			od.kind = k
		}
	}
	if o.Has("w") {
		od.width = 32
		if n, err := strconv.Atoi(o.Get("w")); err == nil {
			od.width = n
		}
	}
	data, code := od.read()
	if len(od.kind) > 1 {
		od.unit, _ = strconv.Atoi(od.kind[1:])
	}
	if od.unit < 1 || od.unit > 8 {
		p.Errorf("invalid type string %s", libc.Quote(od.kind))
		return 1
	}
	if !od.print(data) {
		return 1
	}
	return code
}

// read gives the bytes that are asked for, and reads no more than those.
func (od *odDump) read() ([]byte, int) {
	od.skip, _ = libc.ByteCount(od.o.Get("j"))
	count, _ := libc.ByteCount(od.o.Get("N"))
	var data []byte
	code := libc.EachInput(od.p, od.o.Args, func(_ string, d *kernel.File) error {
		if !od.o.Has("N") {
			b, err := od.p.ReadAll(d)
			data = append(data, b...)
			return err
		}
		buf := make([]byte, count+od.skip)
		got := 0
		for got < len(buf) {
			k, err := d.Read(od.p, buf[got:])
			od.p.Check()
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
	})
	data = data[min(od.skip, int64(len(data))):]
	if od.o.Has("N") {
		data = data[:min(count, int64(len(data)))]
	}
	return data, code
}

func (od *odDump) print(data []byte) bool {
	var last []byte
	starred := false
	for off := 0; off < len(data); off += od.width {
		row := data[off:min(off+od.width, len(data))]
		if !od.o.Has("v") && last != nil && bytes.Equal(row, last) && len(row) == od.width {
			if !starred {
				od.p.Print("*\n")
				starred = true
			}
			continue
		}
		last, starred = row, false
		od.p.Print(od.address(int64(off) + od.skip))
		for i := 0; i < len(row); i += od.unit {
			if !od.value(row[i:min(i+od.unit, len(row))]) {
				return false
			}
		}
		od.p.Print("\n")
	}
	if a := od.address(int64(len(data)) + od.skip); a != "" {
		od.p.Print(a, "\n")
	}
	return true
}

func (od *odDump) address(n int64) string {
	radix := "o"
	if od.o.Has("A") {
		radix = od.o.Get("A")
	}
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

// value prints one value, which is little-endian.
func (od *odDump) value(b []byte) bool {
	var v uint64
	for _, c := range slices.Backward(b) {
		v = v<<8 | uint64(c)
	}
	switch od.kind[0] {
	case 'x':
		od.p.Printf(" %0*x", od.unit*2, v)
	case 'o':
		od.p.Printf(" %0*o", []int{0, 3, 6, 0, 11, 0, 0, 0, 22}[od.unit], v)
	case 'u':
		od.p.Printf(" %*d", []int{0, 3, 5, 0, 10, 0, 0, 0, 20}[od.unit], v)
	case 'd':
		od.p.Printf(" %*d", []int{0, 4, 6, 0, 11, 0, 0, 0, 20}[od.unit], int64(v))
	case 'c':
		od.p.Printf(" %3s", odChar(byte(v)))
	default:
		od.p.Errorf("invalid character '%c' in type string %s", od.kind[0], libc.Quote(od.kind))
		return false
	}
	return true
}

func odChar(c byte) string {
	switch {
	case c == 0:
		return `\0`
	case c >= 7 && c <= 13:
		return `\` + "abtnvfr"[c-7:c-6]
	case c < 32 || c >= 127:
		return fmt.Sprintf("%03o", c)
	}
	return string(rune(c))
}
