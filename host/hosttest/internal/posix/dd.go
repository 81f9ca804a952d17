package posix

import (
	"io"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// dd is one run of it.
type dd struct {
	p *kernel.Process
	v map[string]string // the operands

	in, out *kernel.File
	opens   []*kernel.File // of these, what is released at the end

	bs, count, skip, seek int64

	total                            int64 // bytes written
	fullIn, partIn, fullOut, partOut int64 // blocks
}

func cmdDd(p *kernel.Process) int {
	d := &dd{p: p, v: map[string]string{}, in: p.FDs[0], out: p.FDs[1]}
	defer func() {
		for _, f := range d.opens {
			f.Release()
		}
	}()
	if code := d.readOperands(); code != 0 {
		return code
	}
	if !d.openInput() || !d.openOutput() || d.in == nil || d.out == nil {
		return 1
	}
	if d.skip > 0 {
		off := d.skip * d.bs
		if d.flagged("iflag", "skip_bytes") {
			off = d.skip
		}
		if _, err := d.in.Seek(off, io.SeekStart); err != nil {
			io.CopyN(io.Discard, p.Stdin(), off)
		}
	}
	code := d.copy()
	if d.flagged("conv", "fsync") || d.flagged("conv", "fdatasync") {
		d.out.Sync()
	}
	if d.v["status"] != "none" {
		p.Warnf("%d+%d records in\n%d+%d records out\n", d.fullIn, d.partIn, d.fullOut, d.partOut)
		if d.v["status"] != "noxfer" {
			p.Warnf("%d bytes copied, 0.001 s, 1.0 MB/s\n", d.total)
		}
	}
	return code
}

func (d *dd) flagged(operand, flag string) bool {
	return slices.Contains(strings.Split(d.v[operand], ","), flag)
}

// readOperands gives the exit code, 0 when all is well.
func (d *dd) readOperands() int {
	p := d.p
	for _, a := range p.Args[1:] {
		k, val, ok := strings.Cut(a, "=")
		switch k {
		case "if", "of", "bs", "ibs", "obs", "count", "skip", "seek", "conv", "status", "iflag", "oflag", "cbs":
		default:
			ok = false
		}
		if !ok {
			p.Errorf("unrecognized operand %s", libc.Quote(a))
			return libc.Usage(p, 1)
		}
		d.v[k] = val
	}
	size := "bs"
	if _, has := d.v["bs"]; !has {
		size = "ibs"
	}
	valid := true
	for _, n := range []struct {
		to      *int64
		operand string
		def     int64
	}{{&d.bs, size, 512}, {&d.count, "count", -1}, {&d.skip, "skip", 0}, {&d.seek, "seek", 0}} {
		*n.to = n.def
		if s, ok := d.v[n.operand]; ok {
			if *n.to, ok = libc.ByteCount(s); !ok {
				p.Errorf("invalid number: %s", libc.Quote(s))
				valid = false
			}
		}
	}
	if !valid {
		return 1
	}
	if d.bs <= 0 {
		p.Errorf("invalid number: %s", libc.Quote(d.v["bs"]))
		return 1
	}
	for _, c := range strings.FieldsFunc(d.v["conv"], func(r rune) bool { return r == ',' }) {
		if !slices.Contains([]string{"fsync", "fdatasync", "notrunc", "excl", "nocreat", "noerror", "sync", "sparse"},
			c) {
			p.Errorf("invalid conversion: %s", libc.Quote(c))
			return libc.Usage(p, 1)
		}
	}
	return 0
}

// open opens a file for if or of.
func (d *dd) open(name string, flags int) (*kernel.File, bool) {
	f, err := d.p.Open(name, flags, 0o666)
	if err != nil {
		d.p.Errorf("failed to open %s: %s", libc.Quote(name), kernel.Strerror(err))
		return nil, false
	}
	d.opens = append(d.opens, f)
	return f, true
}

func (d *dd) openInput() (ok bool) {
	name, given := d.v["if"]
	if !given {
		return true
	}
	d.in, ok = d.open(name, os.O_RDONLY)
	return ok
}

func (d *dd) openOutput() (ok bool) {
	name, given := d.v["of"]
	if !given {
		return true
	}
	flags := os.O_WRONLY
	if !d.flagged("conv", "nocreat") {
		flags |= os.O_CREATE
	}
	if d.flagged("conv", "excl") {
		flags |= os.O_EXCL
	}
	if d.flagged("oflag", "append") {
		flags |= os.O_APPEND
	}
	if !d.flagged("conv", "notrunc") && d.seek == 0 {
		flags |= os.O_TRUNC
	}
	if d.out, ok = d.open(name, flags); !ok || d.seek <= 0 {
		return ok
	}
	off := d.seek * d.bs
	if d.flagged("oflag", "seek_bytes") {
		off = d.seek
	}
	if !d.flagged("conv", "notrunc") && d.out.Stream == nil {
		if err := d.out.Truncate(off); err != nil {
			d.p.Errorf("failed to truncate to %d bytes in output file %s: %s", off, libc.Quote(name),
				kernel.Strerror(err))
			return false
		}
	}
	if _, err := d.out.Seek(off, io.SeekStart); err != nil {
		d.p.Errorf("%s: cannot seek: %s", libc.Quote(name), kernel.Strerror(err))
		return false
	}
	return true
}

// copy copies block by block.
func (d *dd) copy() int {
	count, left := d.count, int64(-1) // blocks, and bytes, that are still to come; < 0 means all
	if count >= 0 && d.flagged("iflag", "count_bytes") {
		count, left = -1, count
	}
	buf := make([]byte, d.bs)
	for count != 0 && left != 0 {
		block := buf
		if left > 0 && left < d.bs {
			block = buf[:left]
		}
		n, err := d.read(block)
		if n > 0 && !d.write(block[:n]) {
			return 1
		}
		if left > 0 {
			left -= int64(n)
		}
		if count > 0 {
			count--
		}
		if err == io.EOF {
			return 0
		}
		if err != nil {
			d.p.Errorf("error reading %s: %s", libc.Quote(d.v["if"]), kernel.Strerror(err))
			return 1
		}
	}
	return 0
}

// read reads once, or until the block is full with iflag=fullblock.
func (d *dd) read(block []byte) (n int, err error) {
	for {
		var k int
		k, err = d.in.Read(d.p, block[n:])
		d.p.Check()
		n += k
		if err != nil || !d.flagged("iflag", "fullblock") || n == len(block) {
			break
		}
	}
	switch {
	case int64(n) == d.bs:
		d.fullIn++
	case n > 0:
		d.partIn++
	}
	return n, err
}

func (d *dd) write(block []byte) bool {
	n, err := d.out.Write(d.p, block)
	d.p.Check()
	d.total += int64(n)
	switch {
	case err == nil && int64(len(block)) == d.bs:
		d.fullOut++
	case err == nil || n > 0:
		d.partOut++
	}
	if err != nil {
		d.p.Errorf("error writing %s: %s", libc.Quote(d.v["of"]), kernel.Strerror(err))
	}
	return err == nil
}
