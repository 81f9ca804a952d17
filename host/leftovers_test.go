package host_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// packed returns a change that unpacks an archive, and a script that makes the archive on the machine.
func packed(t *testing.T, dir string) (host.Archive, []byte) {
	b := tarball(t, program(t))
	h := sha256.Sum256(b)
	return host.Archive{Path: dir, URL: "file:///opt/packed.tgz", SHA256: hex.EncodeToString(h[:])}, b
}

// left returns what is left of temporary files, and their list.
func left(t *testing.T, m *host.Machine) string {
	t.Helper()
	r, err := m.Run(t.Context(), ssh.Command{Root: true,
		Script: "find / -xdev \\( -name '.lab-*' ! -name .lab-archive -o -path '/var/lib/lab/unfinished*' \\)\n" +
			"find /run -name '.lab-*'"})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(r.Stdout))
}

// TestLeftoversAreFound: after a power cut at any write, a run that wants nothing at all removes the
// temporary files, which may contain secrets, and then there is nothing to do.
func TestLeftoversAreFound(t *testing.T) {
	archive, b := packed(t, "/srv/packed")
	h := sha256.Sum256([]byte("download"))
	s := host.State{
		host.File{Path: "/srv/secret", Value: lab.NewSecret("s3cret"), Mode: 0o600},
		host.Line{Path: "/etc/hosts", Line: "192.0.2.10 gitea.arcodange.lab"},
		host.Link{Path: "/srv/odd\nlink", Target: "a"},
		host.Download{Path: "/srv/it's", URL: "file:///opt/download", SHA256: hex.EncodeToString(h[:])},
		archive,
		host.File{Path: "/etc/ssh/sshd_config.d/lab.conf", Content: "X11Forwarding no\n"},
		host.Command{Name: "work", Run: "mkdir /srv/.lab-work; echo s3cret >/srv/.lab-work/f; rm -r /srv/.lab-work; mkdir /srv/worked",
			Creates: "/srv/worked", Temps: []string{"/srv/.lab-work/"}},
	}
	start := func() (*hosttest.Machine, *host.Machine) {
		box, m := open(t, hosttest.Config{})
		if err := box.FS().WriteFile("/opt/packed.tgz", b); err != nil {
			t.Fatal(err)
		}
		if err := box.FS().WriteFile("/opt/download", []byte("download")); err != nil {
			t.Fatal(err)
		}
		return box, m
	}
	box, m := start()
	before := box.Counters().Writes
	settle(t, m, s)
	writes, found := int(box.Counters().Writes-before), 0
	for k := 1; k <= writes; k++ {
		box, m := start()
		p, err := m.Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		up := box.Faults().PowerCutAtWrite(k)
		if _, err := p.Apply(t.Context(), nil); err == nil {
			t.Errorf("write %d: no error", k)
		}
		<-up
		if strings.Contains(left(t, m), "/.lab-") {
			found++
		}
		if p, err = m.Plan(t.Context(), host.State{}, "nothing:*"); err != nil {
			t.Fatal(err)
		}
		if !p.Empty() && strings.Join(changeIDs(p), " ") != "temporary:files" {
			t.Errorf("write %d: the plan is %s", k, p)
		}
		settle(t, m, host.State{})
		if l := left(t, m); strings.Contains(l, "/.lab-") || l != "" && !p.Empty() {
			t.Errorf("write %d: left behind: %s", k, l)
		}
		settle(t, m, s)
		// A list of files that are all gone is removed by the next run that makes some.
		settle(t, m, append(s, host.File{Path: "/srv/another"}))
		if l := left(t, m); l != "" {
			t.Errorf("write %d: left behind by the next run: %s", k, l)
		}
	}
	if found < 5 {
		t.Errorf("only %d of %d power cuts left something behind", found, writes)
	}
}

// heldReader is a source that stops in the middle until it is let go on.
type heldReader struct {
	*bytes.Reader
	reads atomic.Int32
	held  chan struct{}
	goOn  chan struct{}
}

func (h *heldReader) ReadAt(b []byte, at int64) (int, error) {
	if at >= h.Size()/2 && h.reads.Load() > 0 {
		h.reads.Store(-1)
		close(h.held)
		<-h.goOn
	} else if at+int64(len(b)) >= h.Size() && h.reads.Load() == 0 {
		h.reads.Store(1) // it was read once, for its hash
	}
	return h.Reader.ReadAt(b, at)
}

// TestCutUploadsAreRemoved cuts the power at each write of an upload by root, and by the account that logs in, and lets a
// run follow that wants nothing.
func TestCutUploadsAreRemoved(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	for path, root := range map[string]bool{"/srv/image": true, "/home/pi/image": false} {
		found := 0
		for k := 1; k <= 12; k++ {
			box, m := open(t, hosttest.Config{User: "pi"})
			c, err := m.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			up := box.Faults().PowerCutAtWrite(k)
			ctx, cancel := context.WithCancel(t.Context())
			u := ssh.Upload{Path: path, Source: bytes.NewReader(content), Size: int64(len(content)), Root: root}
			u.Progress = func(int64, int64) {
				select {
				case <-up: // it would resume it
					cancel()
				default:
				}
			}
			_, err = c.Upload(ctx, u)
			cancel()
			if err != nil {
				<-up
			}
			if err := m.Close(); err != nil {
				t.Log(err)
			}
			l := left(t, m)
			if err == nil && l != "" {
				t.Errorf("%s, write %d: left behind by an upload that is complete: %s", path, k, l)
			}
			if strings.Contains(l, ".part") {
				found++
			}
			settle(t, m, host.State{})
			if l := left(t, m); l != "" {
				t.Errorf("%s, write %d: left behind: %s", path, k, l)
			}
		}
		if found < 2 {
			t.Errorf("%s: only %d cuts left something behind", path, found)
		}
	}
}

// TestCutUploadsOnMachine does the same once with a real machine.
func TestCutUploadsOnMachine(t *testing.T) {
	box := real.Machines(t, 1)[0]
	m := &host.Machine{Target: realTarget(box)}
	defer m.Close()
	source := &heldReader{Reader: bytes.NewReader(make([]byte, 1<<20)), held: make(chan struct{}), goOn: make(chan struct{})}
	c, err := ssh.Dial(t.Context(), m.Target)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := c.Upload(ctx, ssh.Upload{Path: "/srv/image", Source: source, Size: 1 << 20, Root: true})
		ended <- err
	}()
	<-source.held
	for !strings.Contains(left(t, m), "/srv/.lab-") { // what was sent is on its way
		time.Sleep(time.Millisecond)
	}
	settle(t, m, host.State{})
	if l := left(t, m); !strings.Contains(l, "/srv/.lab-") {
		t.Errorf("a run removed what is being written: %q", l)
	}
	cancel()
	close(source.goOn)
	if err := <-ended; err == nil {
		t.Error("the upload was not cut off")
	}
	if err := c.Close(); err != nil {
		t.Log(err)
	}
	if err := box.PowerCut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := left(t, m); !strings.Contains(l, "/srv/.lab-") {
		t.Errorf("nothing was left behind: %q", l)
	}
	settle(t, m, host.State{})
	if l := left(t, m); l != "" {
		t.Errorf("left behind: %s", l)
	}
}

// TestUploadsThatGoOnAreKept: a run does not take an upload that goes on for one that was cut off.
func TestUploadsThatGoOnAreKept(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, u := range []ssh.Upload{{Path: "/srv/image", Root: true}, {Path: "/home/" + box.User() + "/image"}} {
		source := &heldReader{Reader: bytes.NewReader(content), held: make(chan struct{}), goOn: make(chan struct{})}
		u.Source, u.Size = source, int64(len(content))
		c, err := ssh.Dial(t.Context(), m.Target)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			_, err := c.Upload(t.Context(), u)
			ended <- err
		}()
		<-source.held
		for !strings.Contains(left(t, m), ".part") { // what was sent is on its way
			time.Sleep(time.Millisecond)
		}
		settle(t, m, host.State{})
		close(source.goOn)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if l := left(t, m); l != "" {
			t.Errorf("left behind: %s", l)
		}
		c.Close()
	}
}

// TestLeftoversOnMachine cuts the power of a real machine while a file is being validated.
func TestLeftoversOnMachine(t *testing.T) {
	box := real.Machines(t, 1)[0]
	m := &host.Machine{Target: realTarget(box)}
	defer m.Close()
	p, err := m.Plan(t.Context(), host.State{host.File{Path: "/etc/lab-secret", Value: lab.NewSecret("s3cret"),
		ValidateWith: "echo begun; : %s; sleep 1000"}})
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{})
	ended := make(chan error)
	go func() {
		_, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) {
			if e.Kind == lab.EventOutput && e.Text == "begun" {
				close(begun)
			}
		}})
		ended <- err
	}()
	<-begun
	other := &host.Machine{Target: realTarget(box)}
	if p, err := other.Plan(t.Context(), host.State{}); err != nil || !p.Empty() {
		t.Errorf("while the run goes on: %v\n%s", err, p)
	}
	other.Close()
	if err := box.PowerCut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the power cut is no error")
	}
	if l := left(t, m); !strings.Contains(l, "/etc/.lab-") {
		t.Errorf("nothing was left behind: %s", l)
	}
	settle(t, m, host.State{})
	if l := left(t, m); l != "" {
		t.Errorf("left behind: %s", l)
	}
}

// TestStampsAreLast: what a stamp vouches for, or the path that a command creates, is whole after a power
// cut at any write, and after one at the end.
func TestStampsAreLast(t *testing.T) {
	archive, b := packed(t, "/srv/packed")
	archive.Owner = "daemon"
	s := host.State{
		archive,
		host.Command{Name: "make", Run: "echo made >/srv/made; mkdir /srv/done", Creates: "/srv/done"},
		host.Command{Name: "convert", Run: "cat /opt/old >/srv/new; rm /opt/old", Removes: "/opt/old"},
	}
	start := func() (*hosttest.Machine, *host.Machine) {
		box, m := open(t, hosttest.Config{})
		if err := box.FS().WriteFile("/opt/packed.tgz", b); err != nil {
			t.Fatal(err)
		}
		if err := box.FS().WriteFile("/opt/old", []byte("old")); err != nil {
			t.Fatal(err)
		}
		return box, m
	}
	whole := func(box *hosttest.Machine, when string, commands bool) {
		t.Helper()
		stamp, err := box.FS().ReadFile("/srv/packed/.lab-archive")
		if commands && err != nil {
			t.Errorf("%s: %v", when, err)
		}
		out, _ := box.Exec("tar -x -O -f /opt/packed.tgz | sha256sum\n" +
			"find /srv/packed -type f ! -name '.lab-*' -exec cat {} + | sha256sum")
		if sums := strings.Fields(out); err == nil && (len(sums) != 4 || sums[0] != sums[2]) {
			t.Errorf("%s: the stamp %q is there, but the files are not whole: %s", when, stamp, out)
		}
		if !commands {
			return
		}
		if out, err := box.Exec("cat /srv/made /srv/new"); err != nil || out != "made\nold" {
			t.Errorf("%s: what the commands made is lost: %q %v", when, out, err)
		}
	}
	box, m := start()
	before := box.Counters().Writes
	settle(t, m, s)
	writes := int(box.Counters().Writes - before)
	box.PowerCut()
	whole(box, "after the run", true)
	for k := 1; k <= writes; k++ {
		box, m := start()
		p, err := m.Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		up := box.Faults().PowerCutAtWrite(k)
		_, _ = p.Apply(t.Context(), nil) // it fails, since the machine is gone
		<-up
		whole(box, fmt.Sprint("write ", k), false)
	}
}

// TestCommandsAreOnDiskHoweverTheyEnd: a script that ends early is no less on disk than one that reaches its end.
func TestCommandsAreOnDiskHoweverTheyEnd(t *testing.T) {
	for _, end := range []string{"", "exit", "exit 0", "return 0", "exec true", "if :; then exit; fi\nfalse", "trap 'exit 0' EXIT; false",
		"set +e; false; exit 0", ": # a comment", "cat <<E\nexit\nE"} {
		box, m := open(t, hosttest.Config{})
		if err := box.FS().WriteFile("/opt/old", []byte("old")); err != nil {
			t.Fatal(err)
		}
		settle(t, m, host.State{
			host.Command{Name: "make", Run: "echo made >/srv/made; mkdir /srv/done\n" + end, Creates: "/srv/done"},
			host.Command{Name: "convert", Run: "cat /opt/old >/srv/new; rm /opt/old\n" + end, Removes: "/opt/old"},
		})
		box.PowerCut()
		if out, err := box.Exec("cat /srv/made /srv/new"); err != nil || out != "made\nold" {
			t.Errorf("%q: what the commands made is lost: %q %v", end, out, err)
		}
	}
	for _, run := range []string{"exit 3", "false; :", "return 4", "exec false", ") ; exit 0; ("} {
		_, m := open(t, hosttest.Config{})
		p, err := m.Plan(t.Context(), host.State{host.Command{Name: "fails", Run: "mkdir /srv/done\n" + run, Creates: "/srv/done"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Apply(t.Context(), nil); err == nil {
			t.Errorf("%q counts as done", run)
		}
	}
}

// fullRealities: a disk that becomes full is as it was before.
func fullRealities() []reality {
	const small = "mkdir -p /srv/small; mount -t tmpfs -o size=1020k tmpfs /srv/small; head -c 2097152 /dev/zero >/opt/big\n"
	const sum = "5647f05ec18958947d32874eeb788fa396a05d0bab7c1b71f112ceb7e9b31eee" // of 2 MiB of zeros
	zeros := pack(make([]byte, 2<<20))
	packed := sha256.Sum256(zeros)
	clean := `[ -z "$(find /srv/small -mindepth 1 ! -name kept)" ]`
	undo := "umount /srv/small"
	return []reality{
		{
			name:  "a file does not fit",
			do:    small,
			state: host.State{host.File{Path: "/srv/small/f", Content: strings.Repeat("x", 2<<20)}},
			plan:  []string{"any"}, fails: "No space left on device", check: clean, undo: undo,
		},
		{
			name: "a download does not fit", do: small,
			state: host.State{host.Download{Path: "/srv/small/f", URL: "file:///opt/big", SHA256: sum}},
			plan:  []string{"any"}, fails: "No space left on device", check: clean, undo: undo,
		},
		{
			name:  "an archive does not fit",
			do:    small + "mkdir /srv/small/kept; printf %s " + base64.StdEncoding.EncodeToString(zeros) + " | base64 -d >/opt/zeros.tgz",
			state: host.State{host.Archive{Path: "/srv/small/new", URL: "file:///opt/zeros.tgz", SHA256: hex.EncodeToString(packed[:])}},
			plan:  []string{"any"}, fails: "tar: ", check: clean, undo: undo,
		},
	}
}

// pack returns an archive with one file.
func pack(content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	w.WriteHeader(&tar.Header{Name: "f", Mode: 0o644, Size: int64(len(content))})
	w.Write(content)
	w.Close()
	z.Close()
	return b.Bytes()
}
