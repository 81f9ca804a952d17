package posix

import (
	"io"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdDd(p *kernel.Process) int {
	v := map[string]string{}
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
		v[k] = val
	}
	num := func(k string, def int64) (int64, bool) {
		s, ok := v[k]
		if !ok {
			return def, true
		}
		n, ok := libc.ByteCount(s)
		if !ok {
			p.Errorf("invalid number: %s", libc.Quote(s))
		}
		return n, ok
	}
	bs, ok1 := num("bs", 512)
	if _, has := v["bs"]; !has {
		bs, ok1 = num("ibs", 512)
	}
	count, ok2 := num("count", -1)
	skip, ok3 := num("skip", 0)
	seek, ok4 := num("seek", 0)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return 1
	}
	if bs <= 0 {
		p.Errorf("invalid number: %s", libc.Quote(v["bs"]))
		return 1
	}
	flagged := func(k, f string) bool { return slices.Contains(strings.Split(v[k], ","), f) }
	for _, c := range strings.FieldsFunc(v["conv"], func(r rune) bool { return r == ',' }) {
		if !slices.Contains([]string{"fsync", "fdatasync", "notrunc", "excl", "nocreat", "noerror", "sync", "sparse"}, c) {
			p.Errorf("invalid conversion: %s", libc.Quote(c))
			return libc.Usage(p, 1)
		}
	}
	in := p.FDs[0]
	if f, ok := v["if"]; ok {
		d, err := p.Open(f, os.O_RDONLY, 0)
		if err != nil {
			p.Errorf("failed to open %s: %s", libc.Quote(f), kernel.Strerror(err))
			return 1
		}
		defer d.Release()
		in = d
	}
	out := p.FDs[1]
	if f, ok := v["of"]; ok {
		flags := os.O_WRONLY
		if !flagged("conv", "nocreat") {
			flags |= os.O_CREATE
		}
		if flagged("conv", "excl") {
			flags |= os.O_EXCL
		}
		if flagged("oflag", "append") {
			flags |= os.O_APPEND
		}
		if !flagged("conv", "notrunc") && seek == 0 {
			flags |= os.O_TRUNC
		}
		d, err := p.Open(f, flags, 0o666)
		if err != nil {
			p.Errorf("failed to open %s: %s", libc.Quote(f), kernel.Strerror(err))
			return 1
		}
		defer d.Release()
		out = d
		if seek > 0 {
			off := seek * bs
			if flagged("oflag", "seek_bytes") {
				off = seek
			}
			if !flagged("conv", "notrunc") && d.Stream == nil {
				if err := d.Truncate(off); err != nil {
					p.Errorf("failed to truncate to %d bytes in output file %s: %s", off, libc.Quote(f), kernel.Strerror(err))
					return 1
				}
			}
			if _, err := d.Seek(off, io.SeekStart); err != nil {
				p.Errorf("%s: cannot seek: %s", libc.Quote(f), kernel.Strerror(err))
				return 1
			}
		}
	}
	if in == nil || out == nil {
		return 1
	}
	if skip > 0 {
		off := skip * bs
		if flagged("iflag", "skip_bytes") {
			off = skip
		}
		if _, err := in.Seek(off, io.SeekStart); err != nil {
			skipped, _ := io.CopyN(io.Discard, p.Stdin(), off)
			_ = skipped
		}
	}
	left := int64(-1)
	if count >= 0 && flagged("iflag", "count_bytes") {
		left = count
		count = -1
	}
	full := flagged("iflag", "fullblock")
	buf := make([]byte, bs)
	var total, fullIn, partIn, fullOut, partOut int64
	code := 0
	for count != 0 && left != 0 {
		want := buf
		if left > 0 && left < bs {
			want = buf[:left]
		}
		n := 0
		var err error
		for {
			var k int
			k, err = in.Read(p, want[n:])
			p.Check()
			n += k
			if err != nil || !full || n == len(want) {
				break
			}
		}
		if n > 0 {
			if int64(n) == bs {
				fullIn++
			} else {
				partIn++
			}
			w, werr := out.Write(p, want[:n])
			p.Check()
			total += int64(w)
			if werr != nil {
				p.Errorf("error writing %s: %s", libc.Quote(v["of"]), kernel.Strerror(werr))
				code = 1
				if w > 0 {
					partOut++
				}
				break
			}
			if int64(n) == bs {
				fullOut++
			} else {
				partOut++
			}
			if left > 0 {
				left -= int64(n)
			}
		}
		if count > 0 {
			count--
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			p.Errorf("error reading %s: %s", libc.Quote(v["if"]), kernel.Strerror(err))
			code = 1
			break
		}
	}
	if flagged("conv", "fsync") || flagged("conv", "fdatasync") {
		out.Sync()
	}
	if v["status"] != "none" {
		p.Warnf("%d+%d records in\n%d+%d records out\n", fullIn, partIn, fullOut, partOut)
		if v["status"] != "noxfer" {
			p.Warnf("%d bytes copied, 0.001 s, 1.0 MB/s\n", total)
		}
	}
	return code
}
