package netclient_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestCurlServer fetches from a server that is busy at first, and from one that hangs up in the middle.
func TestCurlServer(t *testing.T) {
	var waited []time.Duration
	m := hosttest.New(t, hosttest.Config{Sleep: func(_ <-chan struct{}, d time.Duration) {
		waited = append(waited, d)
	}})
	asked := 0
	m.Listen(8080, func(c net.Conn) {
		defer c.Close()
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		switch asked++; {
		case r.URL.Path == "/cut":
			io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf\n")
		case asked <= 2:
			io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		default:
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nwhole\n")
		}
	})
	c := debiantest.Dial(t, m)
	for _, x := range []struct{ script, want string }{
		{"curl -fsS --retry 3 http://localhost:8080/busy", "whole\n"},
		{"curl -fsS --retry 3 -o t http://localhost:8080/cut 2>&1; echo $?; cat t",
			"curl: (18) transfer closed with 5 bytes remaining to read\n18\nhalf\n"},
	} {
		if out, _, err := debiantest.Exec(t, c, x.script, ""); out != x.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", x.script, out, err, x.want)
		}
	}
	if want := []time.Duration{time.Second, 2 * time.Second}; !slices.Equal(waited, want) {
		t.Errorf("waited %v, want %v", waited, want)
	}
}

// An oddServer answers /KIND/N/...: the first N times it is asked for a path as its kind says, then with "ok".
type oddServer struct {
	mu    sync.Mutex
	asked map[string]int
}

func (s *oddServer) serve(c net.Conn) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked[r.URL.Path]++
	n := s.asked[r.URL.Path]
	s.mu.Unlock()
	part := strings.Split(r.URL.Path+"///", "/")
	if most, err := strconv.Atoi(part[2]); err == nil && n > most {
		part[1] = ""
	}
	say := func(status, headers, body string) {
		fmt.Fprintf(c, "HTTP/1.1 %s\r\n%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, headers, len(body),
			body)
	}
	switch part[1] {
	case "busy":
		say("503 Service Unavailable", "", "busy\n")
	case "later":
		say("429 Too Many Requests", "Retry-After: 1\r\n", "later\n")
	case "none":
		say("404 Not Found", "", "none\n")
	case "cut":
		io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf\n")
	case "gone":
	case "moved":
		say(part[3]+" Moved", "Location: /echo\r\n", "")
	case "loop":
		say("302 Found", "Location: /loop\r\n", "")
	case "echo":
		say("200 OK", "", fmt.Sprintf("%s %s %s|%s|%s|%s|%s\n", r.Method, r.URL.RequestURI(), body,
			r.Header.Get("Authorization"), r.UserAgent(), r.Referer(), r.Header.Get("Content-Type")))
	default:
		say("200 OK", "", "ok\n")
	}
}

var connectTime = regexp.MustCompile(`after \d+ ms`)

// TestCurlLikeReal lets the real curl and the machine's talk to the same server. The pauses of the real one are one
// second.
func TestCurlLikeReal(t *testing.T) {
	const port = 8080
	if b, err := exec.Command("curl", "--version").Output(); err != nil ||
		!strings.HasPrefix(string(b), "curl 7.88.1 ") {
		real.Missing(t, "curl 7.88.1")
	}
	const w = " -w '[%{http_code} %{size_download} %{num_redirects} %{url_effective}]'"
	for _, script := range []string{
		"curl -fsS --retry 1 --retry-delay 1 $U/busy/1" + w,
		"curl -sS --retry 1 --retry-delay 1 $U/busy/1" + w,
		"curl -fsS --retry 1 --retry-delay 1 -o o $U/busy/5; echo $?; ls o",
		"curl -f --no-progress-meter --retry 1 --retry-delay 1 $U/busy/1",
		"curl -sS --retry 1 --retry-delay 1 --fail-with-body $U/busy/5" + w,
		"curl -fsS --retry 1 --retry-delay 1 $U/cut/1" + w,
		"curl -fsS --retry 1 --retry-delay 1 --retry-all-errors -o o $U/cut/1" + w + "; echo $?; cat o",
		"curl -fsS --retry 1 --retry-delay 1 --retry-all-errors $U/cut/1" + w,
		"curl -fsS --retry 1 --retry-delay 1 $U/gone/1" + w,
		"curl -fsS --retry 1 --retry-delay 1 --retry-all-errors $U/gone/1" + w,
		"curl -f --no-progress-meter --retry 1 --retry-delay 1 --retry-all-errors $U/none/1" + w,
		"curl -f --no-progress-meter --retry 2 --retry-delay 1 --retry-all-errors $U/none/2" + w,
		"curl -fsS --retry 1 --retry-delay 1 $U/none/1" + w,
		"curl -fsS --retry 1 $U/later/1",
		"curl --no-progress-meter --retry 1 --retry-delay 3 $U/later/1",
		"curl -fsS --retry 1 --retry-delay 1 http://127.0.0.1:1" + w,
		"curl --no-progress-meter --retry 1 --retry-delay 1 --retry-connrefused http://127.0.0.1:1" + w,
		"curl --no-progress-meter --retry 1 --retry-delay 1 --retry-all-errors foo://x; echo $?",
		"curl -fsS -o /nosuch/x --retry 1 --retry-delay 1 --retry-all-errors $U/x; echo $?",
		"curl -fsS --retry x $U/x; curl --max-redirs 1x $U/x; curl --retry 1",
		"curl -s -L $U/moved/9/301" + w +
			"; curl -s -L -d a=b $U/moved/9/302/x; curl -s -L -d a=b $U/moved/9/303/x; " +
			"curl -s -L -d a=b $U/moved/9/307/x; curl -s -L -X POST -d a=b $U/moved/9/302/y; curl -s $U/moved/9/301" +
			w,
		"curl -sS -L --max-redirs 3 $U/loop" + w +
			"; echo $?; curl -sS -L $U/loop; echo $?; curl -sS -L --max-redirs 0 $U/moved/9/301; echo $?",
		`printf 'a\nb\n' >f; curl -s -d @f $U/echo; curl -s --data-binary @f $U/echo; curl -s --data-raw @f $U/echo; ` +
			`curl -s -d a -d b=c $U/echo; echo in | curl -s -d @- $U/echo; curl -s -G -d a=b $U/echo; ` +
			`curl -s -G -d a=b "$U/echo?x"; curl -s -X PUT -d @f $U/echo; curl -s -X DELETE $U/echo`,
		"curl -s -u me:pw $U/echo; curl -s -A me $U/echo; curl -s -e http://from $U/echo; " +
			"curl -s -H 'User-Agent:' -H 'Content-Type: x' -d a $U/echo; curl -s -u me:pw -L $U/moved/9/301",
		"echo old >o; curl -fsS -o o $U/cut/9; cat o; curl -fsS --remove-on-error -o o $U/cut/9; ls o; " +
			"curl -fsS -o o $U/none/9; ls o; curl -fsS $U/none/9 -o o $U/a; ls o; curl -s -o d/o $U/a; echo $?; " +
			"curl -s --create-dirs -o d/e/o $U/a; cat d/e/o; curl -s --output-dir d -O $U/name; cat d/name",
		"curl -s $U" + w + "; curl -s --fail $U/none/9" + w +
			"; curl -I -s $U/none/9; curl -s -i $U/a; curl -s $U/a $U/none/9 $U/b; echo $?; curl -fs $U/none/9 $U/b; " +
			"echo $?",
		`curl -s -o /dev/null -w '%% %{http_code}\n\t%{exitcode}|%{content_type}|' $U/a; ` +
			`curl -s -o n -w '%{http_code} %{exitcode}\n' http://127.0.0.1:1/; echo $?`,
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			there, here := &oddServer{asked: map[string]int{}}, &oddServer{asked: map[string]int{}}
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go there.serve(c)
				}
			}()
			url := "http://" + l.Addr().String()
			cmd := exec.Command("/bin/sh", "-c", "exec 2>&1; U="+url+"; "+script)
			cmd.Dir = t.TempDir()
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + cmd.Dir}
			out, _ := cmd.Output()
			out = connectTime.ReplaceAll(out, []byte("after 0 ms"))
			want := strings.ReplaceAll(string(out), url, "http://127.0.0.1:8080") +
				fmt.Sprintf("[exit %d]", cmd.ProcessState.ExitCode())

			m := hosttest.New(t, hosttest.Config{Sleep: func(<-chan struct{}, time.Duration) {}})
			m.Listen(port, here.serve)
			got := debiantest.Run(m, "cd /root; exec 2>&1; U=http://127.0.0.1:8080; "+script, "")
			if got := got.Out + fmt.Sprintf("[exit %d]", got.Code); got != want {
				t.Errorf("the real one:\n%s\nhere:\n%s", want, got)
			}
		})
	}
}
