package posix

import (
	"bytes"
	"encoding/base64"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

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
