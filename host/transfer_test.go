package host_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(b)
	return b
}

// names lists a folder, hidden files too.
func names(tb testing.TB, dir string) string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestUpload(t *testing.T) {
	c := dial(t, target(real.SSHD(t)))
	for name, content := range map[string][]byte{
		"empty":                  nil,
		"a b'c\"\n$(x) é":        []byte("no final newline"),
		"-rf":                    []byte("\x00\x01\xff\n"),
		"big":                    random(3<<20 + 7),
		strings.Repeat("n", 255): []byte("longest name"),
	} {
		dir := t.TempDir()
		at := filepath.Join(dir, name)
		write(t, at, []byte("old"))
		var told []int64
		u := host.FileUpload{Path: at, Source: bytes.NewReader(content), Size: int64(len(content)), Mode: 0o750, Progress: func(done, total int64) {
			told = append(told, done)
			if total != int64(len(content)) {
				t.Errorf("total %d", total)
			}
		}}
		r, err := c.Upload(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if r.Size != u.Size || r.Moved != u.Size || r.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%+v", r)
		}
		got, err := os.ReadFile(at)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%q differs: %v", name, err)
		}
		if st := must(os.Stat(at)); st.Mode() != 0o750 {
			t.Errorf("mode %v", st.Mode())
		}
		if n := names(t, dir); n != name {
			t.Errorf("left there: %q", n)
		}
		if len(told) < 1 || told[len(told)-1] != u.Size {
			t.Errorf("progress: %v", told)
		}

		// the second time only the mode is looked at
		u.Mode = 0
		before := must(os.Stat(at))
		if r, err = c.Upload(t.Context(), u); err != nil || r.Moved != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		after := must(os.Stat(at))
		if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) || after.Mode() != 0o644 {
			t.Errorf("%v", after)
		}
	}
}

func TestUploadPlaces(t *testing.T) {
	c := dial(t, target(real.SSHD(t)))
	dir := t.TempDir()
	content := []byte("content")
	up := func(u host.FileUpload) error {
		u.Source, u.Size = bytes.NewReader(content), int64(len(content))
		_, err := c.Upload(t.Context(), u)
		return err
	}
	if os.Getuid() == 0 {
		owned := filepath.Join(dir, "owned")
		if err := up(host.FileUpload{Path: owned, Mode: fs.ModeSetgid | 0o755, Owner: "1:2", Root: true}); err != nil {
			t.Fatal(err)
		}
		out := must(c.Run(t.Context(), host.Command{Script: "stat -c '%u %g %a' " + host.Quote(owned)}))
		if string(out.Stdout) != "1 2 2755\n" {
			t.Errorf("%s", out.Stdout)
		}
	}
	victim := write(t, filepath.Join(dir, "victim"), []byte("victim"))
	if err := os.Symlink(victim, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := up(host.FileUpload{Path: filepath.Join(dir, "link")}); err != nil {
		t.Fatal(err)
	}
	if b := must(os.ReadFile(victim)); string(b) != "victim" {
		t.Error("written through a link")
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	contains(t, up(host.FileUpload{Path: filepath.Join(dir, "folder")}), "it is a folder")
	contains(t, up(host.FileUpload{Path: filepath.Join(dir, "missing", "x")}), "missing")
	for _, bad := range []string{"", "x", "/", "/a/", "/a/../b", "/a\x00"} {
		if err := up(host.FileUpload{Path: bad}); !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := c.Upload(t.Context(), host.FileUpload{Path: "/x", Source: bytes.NewReader(content), Size: 8}); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("size too big: %v", err)
	}
}

// TestTransferCut cuts the connection in the middle, several times.
func TestTransferCut(t *testing.T) {
	s := real.SSHD(t)
	p := newProxy(t, s.Addr)
	to := target(s)
	to.Address = p.addr
	to.HostKeys = host.HostKeys{Pinned: []string{ssh.FingerprintSHA256(s.HostKey)}}
	content := random(8 << 20)
	dir := t.TempDir()
	at := filepath.Join(dir, "file")
	write(t, at, []byte("old"))

	// an earlier upload of something else was cut off
	c := dial(t, to)
	other := append([]byte{1}, random(4<<20)...)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Upload(ctx, host.FileUpload{Path: at, Source: bytes.NewReader(other), Size: int64(len(other)), Progress: func(done, _ int64) {
		if done > 1<<20 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := names(t, dir); !strings.HasPrefix(n, ".lab-") || !strings.HasSuffix(n, ".part file") {
		t.Errorf("there: %q", n)
	}
	if b := must(os.ReadFile(at)); string(b) != "old" {
		t.Error("a part has the file's name")
	}

	// every connection takes 3 MB
	p.cutAfter(3 << 20)
	p.cut()
	r, err := c.Upload(t.Context(), host.FileUpload{Path: at, Source: bytes.NewReader(content), Size: int64(len(content))})
	if err != nil {
		t.Fatal(err)
	}
	if b := must(os.ReadFile(at)); !bytes.Equal(b, content) {
		t.Error("it differs")
	}
	if n := names(t, dir); n != "file" {
		t.Errorf("left there: %q", n)
	}
	if st := c.Stats(); st.Connections < 4 || r.Moved >= 3*int64(len(content)) {
		t.Errorf("%+v %+v", st, r)
	}
	p.cutAfter(-1)

	here := filepath.Join(t.TempDir(), "here")
	cut := 0
	d := host.FileDownload{Path: at, To: here, Progress: func(done, total int64) {
		if cut < 3 && done > int64(cut+1)<<20 {
			cut++
			p.cut()
		}
	}}
	r, err = c.Download(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if b := must(os.ReadFile(here)); !bytes.Equal(b, content) {
		t.Error("it differs")
	}
	if cut != 3 || r.Moved != int64(len(content)) {
		t.Errorf("cut %d times, %+v", cut, r)
	}
	if n := names(t, filepath.Dir(here)); n != "here" {
		t.Errorf("left here: %q", n)
	}
	if r, err = c.Download(t.Context(), d); err != nil || r.Moved != 0 {
		t.Errorf("the second time: %+v, %v", r, err)
	}

	// a part of something else
	write(t, here, []byte("old"))
	write(t, filepath.Join(filepath.Dir(here), ".here.lab-part"), other[:1000])
	if r, err = c.Download(t.Context(), d); err != nil || r.Moved != int64(len(content)) {
		t.Errorf("%+v, %v", r, err)
	}
	if b := must(os.ReadFile(here)); !bytes.Equal(b, content) {
		t.Error("it differs")
	}
}

func TestDownload(t *testing.T) {
	c := dial(t, target(real.SSHD(t)))
	dir, here := t.TempDir(), t.TempDir()
	for name, content := range map[string][]byte{"empty": nil, "-n 'x'\n": []byte("\x00\xff"), "big": random(3<<20 + 1)} {
		at := write(t, filepath.Join(dir, name), content)
		to := filepath.Join(here, "f")
		r, err := c.Download(t.Context(), host.FileDownload{Path: at, To: to, Mode: 0o640})
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(to)
		if err != nil || !bytes.Equal(b, content) || r.Size != int64(len(content)) {
			t.Errorf("%q: %+v %v", name, r, err)
		}
		if st := must(os.Stat(to)); st.Mode() != 0o640 {
			t.Error(st.Mode())
		}
	}
	for path, kind := range map[string]error{filepath.Join(dir, "missing"): lab.ErrNotFound, dir: lab.ErrNotFound, "relative": lab.ErrInvalid} {
		if _, err := c.Download(t.Context(), host.FileDownload{Path: path, To: filepath.Join(here, "x")}); !errors.Is(err, kind) {
			t.Errorf("%s: %v", path, err)
		}
	}
	// a broken source and a full sink end the script
	broken := errors.New("broken")
	_, err := c.Run(t.Context(), host.Command{Script: "cat", Stdin: io.MultiReader(strings.NewReader("part"), readerFunc(func([]byte) (int, error) { return 0, broken }))})
	if !errors.Is(err, broken) {
		t.Errorf("broken stdin: %v", err)
	}
	_, err = c.Run(t.Context(), host.Command{Script: "yes", Stdout: writerFunc(func([]byte) (int, error) { return 0, broken })})
	if !errors.Is(err, broken) {
		t.Errorf("broken stdout: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
