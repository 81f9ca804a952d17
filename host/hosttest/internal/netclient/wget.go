package netclient

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	wgetShort = "qO:cnvT:t:P:SU:dN4:6e:i:bk"
	wgetLong  = "quiet>q output-document=>O continue>c no-verbose timeout=>T tries=>t directory-prefix=>P " +
		"server-response>S " +
		"user-agent=>U https-only no-check-certificate header= no-hsts show-progress progress= timestamping>N " +
		"ca-certificate= retry-connrefused waitretry= secure-protocol= connect-timeout= read-timeout= dns-timeout= " +
		"spider " +
		"verbose>v"
)

// A wgetRun is the state of one wget.
type wgetRun struct {
	p       *kernel.Process
	o       *libc.Options
	headers http.Header
}

func cmdWget(p *kernel.Process) int {
	o, ok := libc.Getopt(p, wgetShort, wgetLong)
	if !ok || len(o.Args) == 0 {
		if ok {
			p.Errorf("missing URL")
		}
		p.Warnf("Usage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.\n")
		if ok {
			return 1
		}
		return 2
	}
	if libc.Unsupported(p, o, "b", "c", "e", "i", "k", "N", "S") {
		return 2
	}
	w := &wgetRun{p: p, o: o, headers: http.Header{"User-Agent": {cmp.Or(o.Get("U"), "Wget/1.21.3")}}}
	for _, h := range o.All("header") {
		if k, v, ok := strings.Cut(h, ":"); ok {
			w.headers.Set(strings.TrimSpace(k), strings.TrimSpace(v))
		}
	}
	code := 0
	for _, raw := range o.Args {
		if !strings.Contains(raw, "://") {
			raw = "http://" + raw
		}
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			w.say("%s: Unsupported scheme.\n", raw)
			code = 1
			continue
		}
		if u.Path == "" {
			u.Path = "/"
		}
		if out := o.Get("O"); out != "" && out != "-" {
			// wget makes the file before it knows whether there is something to write.
			d, err := p.Open(out, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
			if err != nil {
				w.say("%s: %s\n", out, kernel.Strerror(err))
				return 1
			}
			d.Release()
		}
		if c := w.get(u); c != 0 {
			code = c
		}
	}
	return code
}

func (w *wgetRun) say(format string, a ...any) {
	if !w.o.Has("q") {
		w.p.Warnf(format, a...)
	}
}

// get downloads one URL, and gives the exit code of it.
func (w *wgetRun) get(u *url.URL) int {
	p := w.p
	name := w.fileName(u)
	stamp := libc.LocalTime(p, p.Kernel.Now()).Format("2006-01-02 15:04:05")
	if !w.o.Has("nv", "no-verbose") {
		w.say("--%s--  %s\n", stamp, u)
	}
	a, err := w.follow(u)
	switch {
	case err == errNoHost:
		host := u.Hostname()
		w.say("Resolving %s (%s)... failed: Name or service not known.\nwget: unable to resolve host address ‘%s’\n",
			host, host, host)
		return 4
	case err == errPartial:
		w.say("hosttest: the answer ends early\n")
		return 4
	case err != nil:
		port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		w.say("Connecting to %s:%s... failed: Connection refused.\n", u.Hostname(), port)
		return 4
	case a.status >= 400:
		w.say("%s ERROR %d: %s.\n", stamp, a.status, a.text)
		return 8
	case w.o.Has("spider"):
		return 0
	case name == "-":
		p.Print(string(a.body))
		p.Flush()
		return 0
	}
	if !w.o.Has("O") {
		name = w.unused(name)
	}
	if err := p.WriteFile(name, a.body, 0o666); err != nil {
		w.say("%s: %s\n\nCannot write to ‘%s’ (%s).\n", name, kernel.Strerror(err), name, kernel.Strerror(err))
		return 3
	}
	w.say("%s (0 B/s) - ‘%s’ saved [%d/%d]\n\n", stamp, name, len(a.body), len(a.body))
	return 0
}

// fileName is where the answer goes; "-" is standard output.
func (w *wgetRun) fileName(u *url.URL) string {
	if out := w.o.Get("O"); out != "" {
		return out
	}
	name := path.Base(u.Path)
	if strings.HasSuffix(u.Path, "/") {
		name = "index.html"
	}
	if w.o.Has("P") {
		name = libc.JoinPath(w.o.Get("P"), name)
	}
	return name
}

// follow fetches u, and where the answer sends one, up to 20 times.
func (w *wgetRun) follow(u *url.URL) (*answer, error) {
	a, err := fetch(w.p.Kernel, "GET", u, w.headers, nil)
	for n := 0; err == nil && a.status >= 300 && a.status < 400 && a.headers.Get("Location") != "" && n < 20; n++ {
		next, perr := u.Parse(a.headers.Get("Location"))
		if perr != nil {
			break
		}
		u = next
		a, err = fetch(w.p.Kernel, "GET", u, w.headers, nil)
	}
	return a, err
}

// unused is a name that no file has: wget overwrites none.
func (w *wgetRun) unused(name string) string {
	base := name
	for n := 1; ; n++ {
		if _, err := w.p.Lstat(name); err != nil {
			return name
		}
		name = fmt.Sprintf("%s.%d", base, n)
	}
}
