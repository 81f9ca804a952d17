package host

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// maxTail is how many bytes at the end of an output are kept for an error.
const maxTail = 2 << 10

// maxRaw is how many bytes of an output may wait for the rest of a secret that begins in them.
const maxRaw = 64 << 10

// tail keeps the last bytes written to it, masked. What is cut before it is masked may end in a part
// of a secret.
type tail struct {
	masker *lab.Masker
	cut    bool
	last   string // masked
	raw    []byte // what follows last, not masked
}

func (t *tail) Write(b []byte) (int, error) {
	t.raw = append(t.raw, b...)
	if len(t.raw) > maxRaw {
		masked, rest := t.masker.Split(string(t.raw))
		t.keep(masked)
		t.raw = append(t.raw[:0], rest...)
	}
	return len(b), nil
}

// keep appends masked text.
func (t *tail) keep(masked string) {
	t.last += masked
	if n := len(t.last); n > maxTail {
		t.cut, t.last = true, t.last[n-maxTail:]
	}
}

// String returns the last bytes, without the space around them.
func (t *tail) String() string {
	t.keep(t.masker.Mask(string(t.raw)))
	t.raw = nil
	text := strings.TrimSpace(strings.ToValidUTF8(t.last, ""))
	if t.cut {
		text = "..." + text
	}
	return text
}
