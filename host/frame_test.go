package host

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

type frame struct {
	header string
	data   []byte
}

// parseFrames parses the output in pieces and returns the frames.
func parseFrames(nonce string, output []byte, piece func() int) (frames []frame, err error) {
	p := &frameParser{nonce: nonce,
		header: func(h string) { frames = append(frames, frame{header: h}) },
		data:   func(b []byte) { frames[len(frames)-1].data = append(frames[len(frames)-1].data, b...) },
	}
	for len(output) > 0 {
		n := min(len(output), max(1, piece()))
		if _, err := p.Write(output[:n]); err != nil {
			return frames, err
		}
		output = output[n:]
	}
	return frames, p.Close()
}

// FuzzFrames: frames are parsed exactly, whatever data they contain and in whatever pieces they
// arrive, unless the data contains the nonce, which is impossible on a machine.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("greeting\n"), []byte("no newline"), []byte("\n\n"), uint64(1))
	f.Add([]byte(""), []byte("\nNONCE"), []byte("\nNONC\nNONCE"), uint64(2))
	f.Add([]byte("x"), []byte{0, '\n', 0xff}, []byte{}, uint64(3))
	f.Fuzz(func(t *testing.T, noise, a, b []byte, seed uint64) {
		const nonce = "0123456789abcdef0123456789abcdef"
		for _, d := range [][]byte{noise, a, b} {
			if bytes.Contains(d, []byte(nonce)) {
				return
			}
		}
		var out bytes.Buffer
		out.Write(noise)
		fmt.Fprintf(&out, "\n%s one 1\n%s\n%s two\n%s\n%s end\n", nonce, a, nonce, b, nonce)
		rnd := rand.New(rand.NewPCG(seed, seed))
		frames, err := parseFrames(nonce, out.Bytes(), func() int { return rnd.IntN(7) })
		if err != nil {
			t.Fatal(err)
		}
		want := []frame{{"one 1", a}, {"two", b}, {"end", nil}}
		if !slices.EqualFunc(frames, want, func(x, y frame) bool {
			return x.header == y.header && bytes.Equal(x.data, y.data)
		}) {
			t.Fatalf("%q was parsed as %q", out.Bytes(), frames)
		}
	})
}

// FuzzFramesOfAnything: no output makes the parser panic or return more data than there is.
func FuzzFramesOfAnything(f *testing.F) {
	f.Add([]byte("\nN \nN x"), 3)
	f.Fuzz(func(t *testing.T, output []byte, n int) {
		frames, err := parseFrames("N", output, func() int { return n % 64 })
		total := 0
		for _, fr := range frames {
			total += len(fr.data) + len(fr.header)
		}
		if err == nil && total > len(output) {
			t.Fatalf("%d bytes were parsed as %d", len(output), total)
		}
	})
}

func TestFrameHeaderIsBounded(t *testing.T) {
	output := append([]byte("\nN "), bytes.Repeat([]byte("x"), maxHeader+100)...)
	if _, err := parseFrames("N", output, func() int { return 1000 }); err == nil {
		t.Error("an endless header was accepted")
	}
}
