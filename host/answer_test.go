package host

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestSumsOfOddNames(t *testing.T) {
	p := newObservationParser(&Query{})
	sum := strings.Repeat("ab", 32)
	p.sums.WriteString(`\` + sum + `  /a\nb\\c` + "\n" + sum + "  /plain  name\n")
	p.readSums()
	if p.o.sums["/a\nb\\c"] != sum || p.o.sums["/plain  name"] != sum {
		t.Errorf("%q", p.o.sums)
	}
	if _, err := hex.DecodeString(sum); err != nil {
		t.Fatal(err)
	}
}

// FuzzObservation: no answer of a machine makes the parser panic.
func FuzzObservation(f *testing.F) {
	f.Add(
		"\nN facts\nhostname=pi1\nMemTotal:  8 kB\nnow=1.2\n\nN paths\n" +
			"/a\x0081a4 0 0 root root 5 1 2\x00\nN units\nLoadState=loaded\n\nN end\n",
	)
	f.Add(
		"\nN sums\n\\abc  x\\n\n\nN shown\nx\x00y\nN content\nx\nN link\n\x00" +
			"\nN probe 0\nx\nN exit 0 3\nN exit 9 9\nN mounts\n1 2 3 / /a rw - ext4 /dev/x rw\n\nN swaps\nh\n/dev/y\nN end\n",
	)
	f.Add("\nN sysctls\n/proc/sys/a/b:1:2\n/proc/sys/a/b:3\n/proc/sys/c:4\n:\nN end\n")
	f.Fuzz(func(t *testing.T, output string) {
		q := &Query{}
		q.Probe("p", ":")
		q.Unit("a.service")
		q.Path("/a")
		q.Sysctl("a.b")
		p := newObservationParser(q)
		fp := &frameParser{nonce: "N", header: p.header, data: p.data}
		if _, err := fp.Write([]byte(output)); err != nil {
			return
		}
		_ = fp.Close()
		_, _ = p.finish()
	})
}
