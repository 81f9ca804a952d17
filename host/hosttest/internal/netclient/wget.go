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

func cmdWget(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "qO:cnvT:t:P:SU:dN4:6e:i:bk", "quiet>q output-document=>O continue>c no-verbose timeout=>T tries=>t directory-prefix=>P server-response>S user-agent=>U https-only no-check-certificate header= "+
		"no-hsts show-progress progress= timestamping>N ca-certificate= retry-connrefused waitretry= secure-protocol= connect-timeout= read-timeout= dns-timeout= spider verbose>v")
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
	headers := http.Header{"User-Agent": {cmp.Or(o.Get("U"), "Wget/1.21.3")}}
	for _, h := range o.All("header") {
		if k, v, ok := strings.Cut(h, ":"); ok {
			headers.Set(strings.TrimSpace(k), strings.TrimSpace(v))
		}
	}
	quiet := o.Has("q")
	say := func(format string, a ...any) {
		if !quiet {
			p.Warnf(format, a...)
		}
	}
	code := 0
	for _, raw := range o.Args {
		if !strings.Contains(raw, "://") {
			raw = "http://" + raw
		}
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			say("%s: Unsupported scheme.\n", raw)
			code = 1
			continue
		}
		if u.Path == "" {
			u.Path = "/"
		}
		name := path.Base(u.Path)
		if strings.HasSuffix(u.Path, "/") {
			name = "index.html"
		}
		if o.Has("P") {
			name = libc.JoinPath(o.Get("P"), name)
		}
		if out := o.Get("O"); out != "" {
			name = out
			if out != "-" {
				// wget makes the file before it knows whether there is something to write.
				d, err := p.Open(out, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
				if err != nil {
					say("%s: %s\n", out, kernel.Strerror(err))
					return 1
				}
				d.Release()
			}
		}
		stamp := libc.LocalTime(p, p.Kernel.Now()).Format("2006-01-02 15:04:05")
		if !o.Has("nv", "no-verbose") {
			say("--%s--  %s\n", stamp, u)
		}
		host, port := u.Hostname(), cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		a, err := fetch(p.Kernel, "GET", u, headers, nil)
		for n := 0; err == nil && a.status >= 300 && a.status < 400 && a.headers.Get("Location") != "" && n < 20; n++ {
			next, perr := u.Parse(a.headers.Get("Location"))
			if perr != nil {
				break
			}
			u = next
			a, err = fetch(p.Kernel, "GET", u, headers, nil)
		}
		switch {
		case err == errNoHost:
			say("Resolving %s (%s)... failed: Name or service not known.\nwget: unable to resolve host address ‘%s’\n", host, host, host)
			code = 4
			continue
		case err == errPartial:
			say("hosttest: the answer ends early\n")
			code = 4
			continue
		case err != nil:
			say("Connecting to %s:%s... failed: Connection refused.\n", host, port)
			code = 4
			continue
		case a.status >= 400:
			say("%s ERROR %d: %s.\n", stamp, a.status, a.text)
			code = 8
			continue
		}
		if o.Has("spider") {
			continue
		}
		if name == "-" {
			p.Print(string(a.body))
			p.Flush()
			continue
		}
		if !o.Has("O") {
			base := name
			for n := 1; ; n++ {
				if _, err := p.Lstat(name); err != nil {
					break
				}
				name = fmt.Sprintf("%s.%d", base, n)
			}
		}
		if err := p.WriteFile(name, a.body, 0o666); err != nil {
			say("%s: %s\n\nCannot write to ‘%s’ (%s).\n", name, kernel.Strerror(err), name, kernel.Strerror(err))
			code = 3
			continue
		}
		say("%s (0 B/s) - ‘%s’ saved [%d/%d]\n\n", stamp, name, len(a.body), len(a.body))
	}
	return code
}
