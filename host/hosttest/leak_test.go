package hosttest_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// TestKilledProcessesLeaveNothing: when a command is killed, whatever it was doing, nothing of it goes on
// running in this process, although its machine does.
func TestKilledProcessesLeaveNothing(t *testing.T) {
	t.Run("real clock", func(t *testing.T) { killedLeaveNothing(t, hosttest.Config{}) })
	t.Run("clock of the test", func(t *testing.T) {
		killedLeaveNothing(t, hosttest.Config{Sleep: func(done <-chan struct{}, _ time.Duration) { <-done }})
	})
}

func killedLeaveNothing(t *testing.T, cfg hosttest.Config) {
	m := hosttest.New(t, cfg)
	c, err := dialAs(m, "pi", ssh.PublicKeys(m.ClientKey()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mine := func() (n int, all string) {
		buf := make([]byte, 4<<20)
		all = string(buf[:runtime.Stack(buf, true)])
		for g := range strings.SplitSeq(all, "\n\n") {
			if strings.Contains(g, "kernel.(*Process).run(") || strings.Contains(g, "kernel.(*Kernel).After.") {
				n++
			}
		}
		return n, all
	}
	stalled := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer stalled.Close()
	for _, script := range []string{
		"sleep 1000", "cat", "cat | cat", "read x", "sleep 1000 & wait", "timeout 1000 sleep 1000", "timeout 1000 cat",
		"flock /run/a.lock sleep 1000", "mkfifo /run/f; cat /run/f", "yes | sleep 1000", "while :; do :; done",
		"while :; do sleep 0.01; done",
		"(sleep 1000) | (sleep 1000)", "x=$(sleep 1000)", "trap '' TERM HUP; sleep 1000",
		"head -c 1000000000 /dev/zero >/run/z; sleep 1000",
		"setsid sh -c 'sleep 1000; :'", "dd", "sort", "sh -c 'sleep 1000; :'", "tee /run/t", "xargs -n1 sleep",
		"while read l; do :; done",
		"flock /run/b.lock sleep 1000 & flock /run/b.lock true", "sudo sh -c 'sleep 1000; :'", "sudo flock /run/c.lock cat",
		"echo >/tmp/in; exec 9</tmp/in; cat <&0 >&2", "sudo systemd-run --wait sleep 1000", "curl -s " + stalled.URL,
		"wget -qO- " + stalled.URL,
		"curl -s --retry 100 --retry-delay 1000 http://127.0.0.1:1/", "until false; do sleep 1000; done",
		"sudo flock -w 1000 /var/lib/dpkg/lock-frontend sleep 1000",
		"dd if=/dev/zero | cat >/dev/null", "cat /dev/zero", "head -c 100000000 /dev/zero | sha256sum; sleep 1000",
		"sudo systemctl start slow", "exec sleep 1000",
		"trap 'sleep 1000' EXIT; exit", "sleep 1000 | tee /tmp/x", "find / -exec sleep 1000 ';'",
		"printf '1000\\n' | xargs sleep", "env sleep 1000", "nohup sleep 1000",
	} {
		session, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		in, err := session.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := session.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := session.Start("echo; " + script); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(20 * time.Second)
		in.Close()
		session.Close()
		for try := 0; ; try++ {
			n, all := mine()
			if n == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d goroutines:\n%s", script, n, all)
			}
			if try%50 == 0 { // again: a process that was just being forked was missed
				kill, err := c.NewSession()
				if err != nil {
					t.Fatal(err)
				}
				// itself too
				_ = kill.Run("sudo pkill -9 '^(sh|sleep|cat|flock|timeout|systemd-run|systemctl)$'; " +
					"exec pkill -9 -u pi")
			}
			time.Sleep(time.Millisecond)
		}
	}
}
