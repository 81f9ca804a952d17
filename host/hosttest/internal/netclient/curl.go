package netclient

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	curlShort = "fsSLo:OIH:X:d:kw:m:u:A:vC:gGiRe:b:c:E:T:r:x:#460Nqnjt:y:Y:z:D:F:K:aZJ"
	curlLong  = "fail>f silent>s show-error>S location>L output=>o remote-name>O head>I header=>H request=>X data=>d " +
		"data-raw= data-binary= insecure>k write-out=>w max-time=>m user=>u user-agent=>A referer=>e verbose>v " +
		"continue-at=>C globoff>g get>G include>i remote-time>R retry= retry-delay= retry-max-time= " +
		"retry-connrefused retry-all-errors connect-timeout= proto= proto-redir= proto-default= cacert= capath= " +
		"compressed fail-with-body " +
		"create-dirs url= no-progress-meter progress-bar>^# tlsv1.2 tlsv1.3 http1.1 ipv4>4 ipv6>6 max-redirs= " +
		"limit-rate= output-dir= noproxy= proxy=>x ciphers= resolve= speed-limit=>Y speed-time=>y remove-on-error"
)

// curlNumbers are the options whose value is a number.
var curlNumbers = []string{"retry", "retry-delay", "retry-max-time", "max-redirs", "Y", "y"}

// curlProtocols reads a --proto list: what it allows of what curl knows.
func curlProtocols(list string) map[string]bool {
	all := []string{"http", "https", "file", "ftp"}
	on := map[string]bool{}
	for _, a := range all {
		on[a] = true
	}
	for w := range strings.SplitSeq(list, ",") {
		mod := byte('+')
		if w != "" && strings.IndexByte("+-=", w[0]) >= 0 {
			mod, w = w[0], w[1:]
		}
		names := []string{w}
		if w == "all" {
			names = all
		}
		if mod == '=' {
			clear(on)
		}
		for _, n := range names {
			on[n] = mod != '-'
		}
	}
	return on
}

func cmdCurl(p *kernel.Process) int {
	o, bad := curlOptions(p)
	try := func(code int) int {
		p.Warnf("curl: try 'curl --help' or 'curl --manual' for more information\n")
		return code
	}
	if bad != "" {
		p.Warnf("curl: %s\n", bad)
		return try(2)
	}
	for _, name := range curlNumbers {
		for _, v := range o.All(name) {
			if !libc.IsDigits(v) {
				p.Warnf("curl: option %s: expected a proper numerical parameter\n", libc.Dashed(name))
				return try(2)
			}
		}
	}
	if libc.Unsupported(p, o, "b", "c", "C", "D", "E", "F", "J", "K", "n", "R", "r", "T", "t", "x", "z", "Z",
		"proto-default", "resolve") {
		return 2
	}
	urls := append(o.All("url"), o.Args...)
	if len(urls) == 0 {
		p.Warnf("curl: no URL specified!\n")
		return try(2)
	}
	outs := o.All("o")
	code := 0
	for i, raw := range urls {
		if !o.Has("g") && strings.ContainsAny(raw, "[]{}") {
			p.Errorf("hosttest: URL globbing is not supported: say -g")
			return 2
		}
		out := ""
		switch {
		case i < len(outs):
			out = outs[i]
		case o.Has("O"):
			u, err := url.Parse(raw)
			if err == nil {
				out = path.Base(u.Path)
			}
			if err != nil || out == "/" || out == "." || strings.HasSuffix(raw, "/") {
				code = curlSays(p, o, 23, "Failed writing received data to disk/application")
				continue
			}
		}
		if out != "" && o.Has("output-dir") {
			out = libc.JoinPath(o.Get("output-dir"), out)
		}
		code = curlOne(p, o, raw, out)
	}
	return code
}

// curlTransient are the statuses after which --retry tries again, as curl(1) lists them.
var curlTransient = []int{408, 429, 500, 502, 503, 504}

// maxRetryWait is the longest pause between two tries (RETRY_SLEEP_MAX).
const maxRetryWait = 10 * time.Minute

// curlSays prints an error unless -s hides it, and returns its code.
func curlSays(p *kernel.Process, o *libc.Options, code int, format string, a ...any) int {
	if !o.Has("s") || o.Has("S") {
		p.Flush()
		p.Warnf("curl: (%d) %s\n", code, fmt.Sprintf(format, a...))
	}
	return code
}

// A transfer is what became of one try at a URL.
type transfer struct {
	code   int // curl's own, 0 for success
	url    *url.URL
	answer *answer
	hops   int
}

// curlOne fetches a URL, as often as --retry allows.
func curlOne(p *kernel.Process, o *libc.Options, raw, out string) int {
	number := func(name string) time.Duration {
		n, _ := strconv.Atoi(o.Get(name))
		return time.Duration(n)
	}
	left, limit := number("retry"), number("retry-max-time")*time.Second
	wait := time.Second
	if d := number("retry-delay"); d > 0 {
		wait = d * time.Second
	}
	var waited time.Duration
	for ; ; left-- {
		tr := curlTry(p, o, raw, out)
		why := curlRetries(o, tr)
		if why == "" || left <= 0 || limit > 0 && waited >= limit {
			if tr.code != 0 && o.Has("remove-on-error") && out != "" && out != "-" {
				p.Unlink(out)
			}
			return curlWriteOut(p, o, tr)
		}
		pause := wait
		if tr.answer != nil && slices.Contains(curlTransient, tr.answer.status) {
			if n, err := strconv.Atoi(tr.answer.headers.Get("Retry-After")); err == nil && n > 0 {
				pause = time.Duration(n) * time.Second
				if limit > 0 && waited+pause > limit {
					p.Warnf("curl: The Retry-After: time would make this command line exceed the maximum allowed " +
						"time for retries.\n")
					return curlWriteOut(p, o, tr)
				}
			}
		}
		if !o.Has("s") {
			p.Flush()
			curlWarn(p, fmt.Sprintf("Problem %s. Will retry in %d seconds. %d retries left.", why, pause/time.Second,
				left))
		}
		p.Sleep(pause)
		waited += pause
		if !o.Has("retry-delay") {
			wait = min(2*wait, maxRetryWait)
		}
	}
}

// curlRetries tells why --retry tries again, or nothing.
func curlRetries(o *libc.Options, tr transfer) string {
	switch {
	case tr.code == 6 || tr.code == 28:
		return ": timeout"
	case tr.code == 7 && o.Has("retry-connrefused"):
		return ": connection refused"
	case (tr.code == 0 || tr.code == 22) && tr.answer != nil && slices.Contains(curlTransient, tr.answer.status):
		return ": HTTP error"
	case tr.code != 0 && o.Has("retry-all-errors"):
		return "(retrying all errors)"
	}
	return ""
}

// curlWarn wraps at 79 columns, prefix included.
func curlWarn(p *kernel.Process, text string) {
	const prefix, width = "Warning: ", 79 - len("Warning: ")
	for len(text) >= width {
		cut := strings.LastIndexByte(text[:width], ' ') + 1
		p.Warnf("%s%s\n", prefix, text[:cut])
		text = text[cut:]
	}
	p.Warnf("%s%s\n", prefix, text)
}

// curlRequest makes the request of a URL from the options.
func curlRequest(p *kernel.Process, o *libc.Options,
	u *url.URL) (method string, headers http.Header, body []byte, problem string) {
	method = "GET"
	var parts []string
	posts := false
	for _, x := range o.Order {
		switch x.Name {
		case "d", "data-binary":
			data := x.Value
			if name, ok := strings.CutPrefix(data, "@"); ok {
				d, err := libc.OpenInput(p, name)
				if err != nil {
					return "", nil, nil, fmt.Sprintf("hosttest: cannot read %s: %s", name, kernel.Strerror(err))
				}
				b, err := p.ReadAll(d)
				d.Release()
				if err != nil {
					return "", nil, nil, fmt.Sprintf("hosttest: cannot read %s: %s", name, kernel.Strerror(err))
				}
				data = string(b)
				if x.Name == "d" {
					data = strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(data)
				}
			}
			parts, posts = append(parts, data), true
		case "data-raw":
			parts, posts = append(parts, x.Value), true
		}
	}
	headers = http.Header{"User-Agent": {"curl/7.88.1"}, "Accept": {"*/*"}}
	data := strings.Join(parts, "&")
	switch {
	case posts && o.Has("G"):
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += data
	case posts:
		method, body = "POST", []byte(data)
		headers.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if o.Has("I") {
		method = "HEAD"
	}
	if o.Has("X") {
		method = o.Get("X")
	}
	if o.Has("A") {
		headers.Set("User-Agent", o.Get("A"))
	}
	if o.Has("e") {
		headers.Set("Referer", o.Get("e"))
	}
	user := o.Get("u")
	if user == "" && u.User != nil {
		pw, _ := u.User.Password()
		user = u.User.Username() + ":" + pw
	}
	if user != "" {
		headers.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
	}
	for _, h := range o.All("H") {
		if strings.HasPrefix(h, "@") {
			return "", nil, nil, "hosttest: -H @file is not supported"
		}
		if k, v, ok := strings.Cut(h, ":"); ok {
			if v = strings.TrimSpace(v); v == "" {
				headers.Del(strings.TrimSpace(k))
				if strings.EqualFold(strings.TrimSpace(k), "User-Agent") {
					headers.Set("User-Agent", "") // what net/http takes for none
				}
				continue
			}
			headers.Set(strings.TrimSpace(k), v)
		}
	}
	return method, headers, body, ""
}

// A curlRun is one attempt at a URL.
type curlRun struct {
	p       *kernel.Process
	o       *libc.Options
	allowed map[string]bool // protocols
	tr      transfer
	method  string
	headers http.Header
	body    []byte
	partial bool // the answer ended early
}

// fail ends the attempt with an exit code and a message.
func (c *curlRun) fail(code int, format string, a ...any) bool {
	c.tr.code = curlSays(c.p, c.o, code, format, a...)
	return false
}

func curlTry(p *kernel.Process, o *libc.Options, raw, out string) transfer {
	c := &curlRun{p: p, o: o, allowed: curlProtocols(cmp.Or(o.Get("proto"), "all")), tr: transfer{url: &url.URL{}}}
	if c.prepare(raw) && c.follow() {
		c.finish(out)
	}
	return c.tr
}

// prepare reads the URL, and makes the request from the options.
func (c *curlRun) prepare(raw string) bool {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return c.fail(3, "URL using bad/illegal format or missing URL")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	c.tr.url = u
	if !c.allowed[u.Scheme] || u.Scheme == "ftp" {
		return c.fail(1, "Protocol \"%s\" not supported or disabled in libcurl", u.Scheme)
	}
	if u.Host == "" && u.Scheme != "file" {
		return c.fail(3, "URL using bad/illegal format or missing URL")
	}
	var problem string
	if c.method, c.headers, c.body, problem = curlRequest(c.p, c.o, u); problem != "" {
		return c.fail(26, "%s", problem)
	}
	return true
}

// follow fetches, and with -L goes where the answer sends it.
func (c *curlRun) follow() bool {
	redirect := curlProtocols(cmp.Or(c.o.Get("proto-redir"), "all"))
	most := 50
	if c.o.Has("max-redirs") {
		most, _ = strconv.Atoi(c.o.Get("max-redirs"))
	}
	for {
		u := c.tr.url
		if !c.fetch(u) {
			return false
		}
		a := c.tr.answer
		loc := a.headers.Get("Location")
		if a.status < 300 || a.status > 399 || loc == "" || !c.o.Has("L") {
			return true
		}
		next, err := u.Parse(loc)
		if err != nil {
			return c.fail(3, "URL using bad/illegal format or missing URL")
		}
		if !redirect[next.Scheme] || !c.allowed[next.Scheme] {
			return c.fail(1, "Protocol \"%s\" disabled or not supported", next.Scheme)
		}
		if c.tr.hops >= most {
			return c.fail(47, "Maximum (%d) redirects followed", most)
		}
		c.redirect(a.status, u, next)
		c.tr.hops++
		c.tr.url = next
	}
}

// redirect makes the next request from the last one.
func (c *curlRun) redirect(status int, from, to *url.URL) {
	if status == 303 || (status == 301 || status == 302) && c.method == "POST" {
		if c.method != "HEAD" && !c.o.Has("X") {
			c.method = "GET"
		}
		c.body = nil
		c.headers.Del("Content-Type")
	}
	if to.Host != from.Host {
		c.headers.Del("Authorization")
	}
}

// fetch gets one answer.
func (c *curlRun) fetch(u *url.URL) bool {
	if u.Scheme == "file" {
		b, err := c.p.ReadFile(u.Path)
		if err != nil {
			return c.fail(37, "Couldn't open file %s", u.Path)
		}
		c.tr.answer = &answer{0, "", http.Header{}, b}
		return true
	}
	a, err := fetch(c.p.Kernel, c.method, u, c.headers, c.body)
	switch {
	case err == errNoHost:
		return c.fail(6, "Could not resolve host: %s", u.Hostname())
	case err == errRefused:
		port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		return c.fail(7, "Failed to connect to %s port %s after 0 ms: Couldn't connect to server", u.Hostname(), port)
	case err == errPartial:
		c.partial = true
	case err != nil:
		return c.fail(52, "Empty reply from server")
	}
	c.tr.answer = a
	return true
}

// finish writes the last answer to the file out.
func (c *curlRun) finish(out string) {
	a := c.tr.answer
	failed := a.status >= 400 && c.o.Has("f", "fail-with-body")
	data := a.body
	if c.o.Has("I", "i") && c.tr.url.Scheme != "file" {
		head := fmt.Sprintf("HTTP/1.1 %d %s\r\n", a.status, a.text)
		for _, k := range slices.Sorted(maps.Keys(a.headers)) {
			head += k + ": " + a.headers.Get(k) + "\r\n"
		}
		if c.o.Has("I") {
			data = nil
		}
		data = append([]byte(head+"\r\n"), data...)
	}
	// Standard output is buffered: what went wrong is said before what came is seen.
	switch {
	case failed:
		c.fail(22, "The requested URL returned error: %d", a.status)
	case c.partial:
		length, _ := strconv.Atoi(a.headers.Get("Content-Length"))
		c.fail(18, "transfer closed with %d bytes remaining to read", length-len(a.body))
	}
	if failed && !c.o.Has("fail-with-body") {
		a.body = nil
		return
	}
	if code := curlWrite(c.p, c.o, out, data); code != 0 {
		c.tr.code = code
	}
}

// curlWrite writes what came to the file or to standard output.
func curlWrite(p *kernel.Process, o *libc.Options, out string, data []byte) int {
	if out == "" || out == "-" {
		p.Print(string(data))
		p.Flush()
		if p.WriteErr != nil {
			p.WriteErr = nil
			return curlSays(p, o, 23, "Failed writing body (0 != %d)", len(data))
		}
		return 0
	}
	if o.Has("create-dirs") {
		libc.MkdirOne(p, path.Dir(out), true, nil, false) // the open below tells
	}
	if err := p.WriteFile(out, data, 0o666); err != nil {
		return curlSays(p, o, 23, "Failure writing output to destination")
	}
	return 0
}

// curlWriteOut is -w. It gives the exit code.
func curlWriteOut(p *kernel.Process, o *libc.Options, tr transfer) int {
	w := o.Get("w")
	status, size, kind := 0, 0, ""
	if a := tr.answer; a != nil {
		status, size, kind = a.status, len(a.body), a.headers.Get("Content-Type")
	}
	code := fmt.Sprintf("%03d", status)
	values := map[string]string{"http_code": code, "response_code": code, "size_download": strconv.Itoa(size),
		"url_effective": tr.url.String(), "url": tr.url.String(), "content_type": kind,
		"num_redirects": strconv.Itoa(tr.hops), "exitcode": strconv.Itoa(tr.code),
		"scheme": strings.ToUpper(tr.url.Scheme), "http_version": "1.1"}
	for w != "" {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(w, "%{"), "}"); ok && strings.HasPrefix(w, "%{") {
			v, known := values[name]
			if !known {
				p.Flush()
				p.Errorf("hosttest: --write-out %%{%s} is not supported", name)
				return 2
			}
			p.Print(v)
			w = rest
			continue
		}
		n := 1
		switch two := w[:min(2, len(w))]; two {
		case "%%", `\n`, `\t`, `\r`:
			p.Print(map[string]string{"%%": "%", `\n`: "\n", `\t`: "\t", `\r`: "\r"}[two])
			n = 2
		default:
			p.Print(w[:1])
		}
		w = w[n:]
	}
	return tr.code
}

// curlOptions parses as curl does, which is not as getopt does.
func curlOptions(p *kernel.Process) (*libc.Options, string) {
	o := &libc.Options{Set: map[string][]string{}}
	add := func(name, value string) {
		o.Set[name] = append(o.Set[name], value)
		o.Order = append(o.Order, libc.Option{Name: name, Value: value})
	}
	args := p.Args[1:]
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			o.Args = append(o.Args, args[i+1:]...)
			return o, ""
		case strings.HasPrefix(a, "--"):
			name, takes, alias, found := "", false, "", 0
			want := strings.TrimPrefix(a[2:], "no-")
			for f := range strings.FieldsSeq(curlLong) {
				n, al, _ := strings.Cut(f, ">")
				n, arg := strings.CutSuffix(n, "=")
				if n == want || n == a[2:] {
					name, takes, alias, found = n, arg, al, 1
					break
				}
				if strings.HasPrefix(n, want) {
					name, takes, alias = n, arg, al
					found++
				}
			}
			switch {
			case found == 0:
				return nil, fmt.Sprintf("option %s: is unknown", a)
			case found > 1:
				return nil, fmt.Sprintf("option %s: is ambiguous", a)
			}
			key := strings.TrimPrefix(cmp.Or(alias, name), "^")
			value := ""
			if takes {
				if i++; i >= len(args) {
					return nil, fmt.Sprintf("option %s: requires parameter", a)
				}
				value = args[i]
			}
			add(key, value)
		case len(a) > 1 && a[0] == '-':
			for j := 1; j < len(a); j++ {
				at := strings.IndexByte(curlShort, a[j])
				if at < 0 || a[j] == ':' {
					return nil, fmt.Sprintf("option -%c: is unknown", a[j])
				}
				if !strings.HasPrefix(curlShort[at+1:], ":") {
					add(a[j:j+1], "")
					continue
				}
				value := a[j+1:]
				if value == "" {
					if i++; i >= len(args) {
						return nil, fmt.Sprintf("option %s: requires parameter", a)
					}
					value = args[i]
				}
				add(a[j:j+1], value)
				break
			}
		default:
			o.Args = append(o.Args, a)
		}
	}
	return o, ""
}
