package ssh_test

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
	"sync"
	"syscall"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(b)
	return b
}

// names lists a directory, hidden files included.
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
		var reported []int64
		u := ssh.Upload{Path: at, Source: bytes.NewReader(content), Size: int64(len(content)), Mode: 0o750,
			Progress: func(done, total int64) {
				reported = append(reported, done)
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
			t.Errorf("left behind: %q", n)
		}
		if len(reported) < 1 || reported[len(reported)-1] != u.Size {
			t.Errorf("progress: %v", reported)
		}

		// the second time only the mode is set
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
	up := func(u ssh.Upload) error {
		u.Source, u.Size = bytes.NewReader(content), int64(len(content))
		_, err := c.Upload(t.Context(), u)
		return err
	}
	if os.Getuid() == 0 {
		owned := filepath.Join(dir, "owned")
		if err := up(ssh.Upload{Path: owned, Mode: fs.ModeSetgid | 0o755, Owner: "1:2", Root: true}); err != nil {
			t.Fatal(err)
		}
		out := must(c.Run(t.Context(), ssh.Command{Script: "stat -c '%u %g %a' " + ssh.Quote(owned)}))
		if string(out.Stdout) != "1 2 2755\n" {
			t.Errorf("%s", out.Stdout)
		}
	}
	victim := write(t, filepath.Join(dir, "victim"), []byte("victim"))
	if err := os.Symlink(victim, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := up(ssh.Upload{Path: filepath.Join(dir, "link")}); err != nil {
		t.Fatal(err)
	}
	if b := must(os.ReadFile(victim)); string(b) != "victim" {
		t.Error("written through a symbolic link")
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	contains(t, up(ssh.Upload{Path: filepath.Join(dir, "dir")}), "it is a directory")
	contains(t, up(ssh.Upload{Path: filepath.Join(dir, "missing", "x")}), "missing")
	for _, bad := range []string{"", "x", "/", "/a/", "/a/../b", "/a\x00"} {
		if err := up(ssh.Upload{Path: bad}); !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := c.Upload(t.Context(), ssh.Upload{Path: "/x", Source: bytes.NewReader(content),
		Size: 8}); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("size too big: %v", err)
	}
}

// partSize returns the size of the only partial file in a directory; -1 if there is none.
func partSize(dir string) int64 {
	parts, _ := filepath.Glob(filepath.Join(dir, ".lab-*.part"))
	if len(parts) == 0 {
		return -1
	}
	st, err := os.Stat(parts[0])
	if err != nil {
		return -1
	}
	return st.Size()
}

// await waits for something that is certain to happen.
func await(tb testing.TB, what string, happened func() bool) {
	tb.Helper()
	if err := lab.Wait(context.Background(), lab.Poll{What: what, First: time.Millisecond, Timeout: 2 * time.Minute},
		func(context.Context) (bool, error) { return happened(), nil }); err != nil {
		tb.Error(err)
	}
}

// TestUploadWaitsForItsPredecessor: an upload that is resumed waits until the one that lost its
// connection has released the partial file, and does not write to the file of another upload that
// has finished meanwhile.
func TestUploadWaitsForItsPredecessor(t *testing.T) {
	if _, err := os.Stat("/proc/self/cwd"); err != nil {
		real.Missing(t, "/proc")
	}
	c := dial(t, target(real.SSHD(t)))
	content := random(4 << 20)
	for _, becomes := range []string{"released", "the file", "the file, and there is a new one"} {
		finished := becomes != "released"
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(dir, "file")
		up := func(ctx context.Context, progress func(done int64)) error {
			_, err := c.Upload(ctx, ssh.Upload{Path: at, Source: bytes.NewReader(content), Size: int64(len(content)),
				Progress: func(done, _ int64) { progress(done) }})
			return err
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := up(ctx, func(done int64) {
			if done > 1<<20 && ctx.Err() == nil {
				await(t, "some of it to be there", func() bool { return partSize(dir) > 0 })
				cancel()
			}
		}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		parts := must(filepath.Glob(filepath.Join(dir, ".lab-*.part")))
		if len(parts) != 1 {
			t.Fatalf("parts: %q", parts)
		}
		held := must(os.OpenFile(parts[0], os.O_RDWR, 0))
		defer held.Close()
		await(t, "the first upload to end", func() bool {
			return syscall.Flock(int(held.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
		})
		var once sync.Once
		err = up(t.Context(), func(done int64) {
			if done <= partSize(dir) { // nothing has been sent yet
				return
			}
			once.Do(func() {
				await(t, "the upload to wait", func() bool { return waitsForLock(dir) })
				if finished {
					if err := os.Rename(parts[0], at); err != nil {
						t.Error(err)
					}
					if becomes != "the file" {
						if err := os.WriteFile(parts[0], nil, 0o600); err != nil {
							t.Error(err)
						}
					}
				}
				held.Close()
			})
		})
		switch got := must(os.ReadFile(at)); {
		case !finished && (err != nil || !bytes.Equal(got, content)):
			t.Errorf("%d bytes, %v", len(got), err)
		case finished && (!errors.Is(err, lab.ErrBlocked) || int64(len(got)) >= int64(len(content))):
			t.Errorf("the other upload's file has %d bytes, %v", len(got), err)
		}
	}
}

// waitsForLock reports whether a flock(1) is running in the directory.
func waitsForLock(dir string) bool {
	found, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, f := range found {
		if at, err := os.Readlink(f); err == nil && at == dir {
			if args, err := os.ReadFile(filepath.Dir(f) + "/cmdline"); err == nil &&
				bytes.HasPrefix(args, []byte("flock\x00")) {
				return true
			}
		}
	}
	return false
}

// TestTransferCut cuts the connection in the middle, several times.
func TestTransferCut(t *testing.T) {
	s := real.SSHD(t)
	p := newProxy(t, s.Addr)
	to := target(s)
	to.Address = p.addr
	to.HostKeys = ssh.HostKeys{Pinned: []string{cryptossh.FingerprintSHA256(s.HostKey)}}
	content := random(8 << 20)
	dir := t.TempDir()
	at := filepath.Join(dir, "file")
	write(t, at, []byte("old"))

	// an earlier upload of something else was cut off
	c := dial(t, to)
	other := append([]byte{1}, random(4<<20)...)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Upload(ctx, ssh.Upload{Path: at, Source: bytes.NewReader(other),
		Size: int64(len(other)), Progress: func(done, _ int64) {
			if done > 1<<20 && ctx.Err() == nil {
				await(t, "some of it to be there", func() bool { return partSize(dir) > 0 })
				cancel()
			}
		}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := names(t, dir); !strings.HasPrefix(n, ".lab-") || !strings.HasSuffix(n, ".part file") {
		t.Errorf("names: %q", n)
	}
	if b := must(os.ReadFile(at)); string(b) != "old" {
		t.Error("a part has the file's name")
	}

	// every connection is cut after 3 MB
	p.cutAfter(3 << 20)
	p.cut()
	r, err := c.Upload(t.Context(), ssh.Upload{Path: at, Source: bytes.NewReader(content), Size: int64(len(content))})
	if err != nil {
		t.Fatal(err)
	}
	if b := must(os.ReadFile(at)); !bytes.Equal(b, content) {
		t.Error("it differs")
	}
	if n := names(t, dir); n != "file" {
		t.Errorf("left behind: %q", n)
	}
	// No connection delivers more than 3 of the 8 MB, so the upload was resumed.
	if st := c.Counters(); st.Connections < 4 {
		t.Errorf("%+v %+v", st, r)
	}
	p.cutAfter(-1)
	p.cut() // the current connection is still limited

	here := filepath.Join(t.TempDir(), "here")
	cut := 0
	d := ssh.Download{Path: at, To: here, Progress: func(done, total int64) {
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
		t.Errorf("left behind: %q", n)
	}
	if r, err = c.Download(t.Context(), d); err != nil || r.Moved != 0 {
		t.Errorf("the second time: %+v, %v", r, err)
	}

	// a part of another content
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
		r, err := c.Download(t.Context(), ssh.Download{Path: at, To: to, Mode: 0o640})
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
	for path, kind := range map[string]error{filepath.Join(dir, "missing"): lab.ErrNotFound,
		dir: lab.ErrNotFound, "relative": lab.ErrInvalid} {
		if _, err := c.Download(t.Context(), ssh.Download{Path: path, To: filepath.Join(here, "x")}); !errors.Is(err,
			kind) {
			t.Errorf("%s: %v", path, err)
		}
	}
	// a read error and a write error stop the script
	broken := errors.New("broken")
	_, err := c.Run(t.Context(), ssh.Command{Script: "cat",
		Stdin: io.MultiReader(strings.NewReader("part"), readerFunc(func([]byte) (int, error) { return 0, broken }))})
	if !errors.Is(err, broken) {
		t.Errorf("broken stdin: %v", err)
	}
	_, err = c.Run(t.Context(), ssh.Command{Script: "yes",
		Stdout: writerFunc(func([]byte) (int, error) { return 0, broken })})
	if !errors.Is(err, broken) {
		t.Errorf("broken stdout: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
