package hosttest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// netTools fetch what Machine.Serve offers, and show the machine's network.
func netTools() map[string]tool {
	return map[string]tool{"curl": {"", cmdCurl}, "wget": {"", cmdWget}, "ip": {"/usr/sbin", cmdIP}, "ss": {"", cmdSs}}
}

// An answer is what a URL gave.
type answer struct {
	status  int
	text    string // of the status: "Not Found"
	headers http.Header
	body    []byte
}

// Why there is no answer.
var (
	errNoHost  = errors.New("no such host")
	errRefused = errors.New("connection refused")
	errPartial = errors.New("the answer ends early") // what came is there
)

// fetch asks for a URL: what Machine.Serve offers, or a server on a port of this machine.
func (m *Machine) fetch(method string, u *url.URL, headers http.Header, body []byte) (*answer, error) {
	m.mu.Lock()
	b, ok := m.served[u.String()]
	known := false
	for s := range m.served {
		if o, err := url.Parse(s); err == nil && o.Host == u.Host {
			known = true
		}
	}
	m.mu.Unlock()
	switch {
	case ok:
		h := http.Header{"Content-Length": {strconv.Itoa(len(b))}, "Content-Type": {"application/octet-stream"}}
		return &answer{200, "OK", h, b}, nil
	case known:
		text := []byte("404 page not found\n")
		h := http.Header{"Content-Length": {strconv.Itoa(len(text))}, "Content-Type": {"text/plain; charset=utf-8"}}
		return &answer{404, "Not Found", h, text}, nil
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if host == m.address() {
		host = "127.0.0.1"
	}
	n, _ := parseUint(port) // 0 is nobody's
	m.mu.Lock()
	listens := m.ports[int(n)] != nil
	m.mu.Unlock()
	local := host == "localhost" || host == "127.0.0.1" || host == "::1" || host == m.Hostname()
	switch {
	case local && !listens, !local && net.ParseIP(host) != nil:
		return nil, errRefused
	case !local || u.Scheme != "http":
		return nil, errNoHost
	}
	c, err := m.dial(net.JoinHostPort(host, port))
	if err != nil {
		return nil, errRefused
	}
	defer c.Close()
	req, err := http.NewRequest(method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header, req.Close = headers, true
	if err := req.Write(c); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	res, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	_, text, _ := strings.Cut(res.Status, " ")
	a := &answer{res.StatusCode, text, res.Header, data}
	if err != nil {
		return a, errPartial
	}
	return a, nil
}

// The machine's one network interface; its address is Machine.address.
const (
	gateway   = "192.168.1.1"
	ethernet  = "2c:cf:67:00:00:01"
	netDev    = "eth0"
	netPrefix = "192.168.1.0/24"
)

const (
	curlShort = "fsSLo:OIH:X:d:kw:m:u:A:vC:gGiRe:b:c:E:T:r:x:#460Nqnjt:y:Y:z:D:F:K:aZJ"
	curlLong  = "fail>f silent>s show-error>S location>L output=>o remote-name>O head>I header=>H request=>X data=>d data-raw=>d data-binary=>d insecure>k write-out=>w max-time=>m user=>u user-agent=>A verbose>v " +
		"continue-at=>C globoff>g get>G include>i remote-time>R retry= retry-delay= retry-max-time= retry-connrefused retry-all-errors connect-timeout= proto= proto-redir= proto-default= cacert= capath= compressed fail-with-body " +
		"create-dirs url= no-progress-meter progress-bar>^# tlsv1.2 tlsv1.3 http1.1 ipv4>4 ipv6>6 max-redirs= limit-rate= output-dir= noproxy= proxy=>x ciphers= resolve= speed-limit=>Y speed-time=>y remove-on-error"
)

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

func cmdCurl(p *Process) int {
	o, bad := p.curlOptions()
	try := func(code int) int {
		p.warn("curl: try 'curl --help' or 'curl --manual' for more information\n")
		return code
	}
	if bad != "" {
		p.warn("curl: %s\n", bad)
		return try(2)
	}
	urls := append(o.all("url"), o.args...)
	if len(urls) == 0 {
		p.warn("curl: no URL specified!\n")
		return try(2)
	}
	outs := o.all("o")
	code := 0
	for i, raw := range urls {
		out := ""
		switch {
		case i < len(outs):
			out = outs[i]
		case o.has("O"):
			u, err := url.Parse(raw)
			if err == nil {
				out = path.Base(u.Path)
			}
			if err != nil || out == "/" || out == "." || strings.HasSuffix(raw, "/") {
				p.curlSays(o, 23, "Failed writing received data to disk/application")
				code = 23
				continue
			}
		}
		if out != "" && o.has("output-dir") {
			out = join(o.get("output-dir"), out)
		}
		code = p.curlOne(o, raw, out)
	}
	return code
}

// curlTransient are the statuses after which --retry tries again, as curl(1) lists them.
var curlTransient = []int{408, 429, 500, 502, 503, 504}

// curlSays prints an error unless -s hides it, and returns its code.
func (p *Process) curlSays(o *options, code int, format string, a ...any) int {
	if !o.has("s") || o.has("S") {
		p.flush()
		p.warn("curl: (%d) %s\n", code, fmt.Sprintf(format, a...))
	}
	return code
}

func (p *Process) curlOne(o *options, raw, out string) int {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return p.curlSays(o, 3, "URL using bad/illegal format or missing URL")
	}
	allowed := curlProtocols("all")
	if v := o.get("proto"); v != "" {
		allowed = curlProtocols(v)
	}
	if !allowed[u.Scheme] || u.Scheme == "ftp" {
		return p.curlSays(o, 1, "Protocol \"%s\" not supported or disabled in libcurl", u.Scheme)
	}
	if u.Host == "" && u.Scheme != "file" {
		return p.curlSays(o, 3, "URL using bad/illegal format or missing URL")
	}
	var a *answer
	method := "GET"
	var body []byte
	if o.has("d") {
		method, body = "POST", []byte(strings.Join(o.all("d"), "&"))
	}
	if o.has("I") {
		method = "HEAD"
	}
	if o.has("X") {
		method = o.get("X")
	}
	headers := http.Header{"User-Agent": {"curl/7.88.1"}, "Accept": {"*/*"}}
	if o.has("d") {
		headers.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range o.all("H") {
		if k, v, ok := strings.Cut(h, ":"); ok {
			headers.Set(strings.TrimSpace(k), strings.TrimSpace(v))
		}
	}
	redirect := curlProtocols(cmpOr(o.get("proto-redir"), "all"))
	retries, _ := parseUint(o.get("retry"))
	partial := false
	for hops := 0; ; hops++ {
		if u.Scheme == "file" {
			b, err := p.readFile(u.Path)
			if err != nil {
				return p.curlSays(o, 37, "Couldn't open file %s", u.Path)
			}
			a = &answer{0, "", http.Header{}, b}
			break
		}
		a, err = p.m.fetch(method, u, headers, body)
		for wait := time.Second; retries > 0 && err == nil && slices.Contains(curlTransient, a.status); wait *= 2 {
			retries--
			p.sleep(wait)
			a, err = p.m.fetch(method, u, headers, body)
		}
		port := cmpOr(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		code := 0
		switch {
		case err == errNoHost:
			code = p.curlSays(o, 6, "Could not resolve host: %s", u.Hostname())
		case err == errRefused:
			code = p.curlSays(o, 7, "Failed to connect to %s port %s after 0 ms: Couldn't connect to server", u.Hostname(), port)
		case err == errPartial:
			partial = true
		case err != nil:
			code = p.curlSays(o, 52, "Empty reply from server")
		}
		if code != 0 {
			p.curlWriteOut(o, u, nil)
			return code
		}
		loc := a.headers.Get("Location")
		if a.status < 300 || a.status > 399 || loc == "" || !o.has("L") {
			break
		}
		next, err := u.Parse(loc)
		if err != nil {
			return p.curlSays(o, 3, "URL using bad/illegal format or missing URL")
		}
		if !redirect[next.Scheme] || !allowed[next.Scheme] {
			return p.curlSays(o, 1, "Protocol \"%s\" disabled or not supported", next.Scheme)
		}
		if hops >= 50 {
			return p.curlSays(o, 47, "Maximum (50) redirects followed")
		}
		u = next
	}
	code := 0
	data := a.body
	if o.has("f", "fail-with-body") && a.status >= 400 {
		code = 22
		if o.has("f") {
			data = nil
		}
	}
	if o.has("I", "i") {
		head := fmt.Sprintf("HTTP/1.1 %d %s\r\n", a.status, a.text)
		for _, k := range sortedKeys(a.headers) {
			head += k + ": " + a.headers.Get(k) + "\r\n"
		}
		if o.has("I") {
			data = nil
		}
		data = append([]byte(head+"\r\n"), data...)
	}
	if code == 0 || o.has("fail-with-body") {
		if out == "" || out == "-" {
			p.print(string(data))
			p.flush()
			if p.writeErr != nil {
				p.writeErr = nil
				return p.curlSays(o, 23, "Failed writing body (0 != %d)", len(data))
			}
		} else {
			if o.has("create-dirs") {
				p.mkdirOne(path.Dir(out), true, nil, false) // the open below tells
			}
			if err := p.writeFile(out, data, 0o666); err != nil {
				return p.curlSays(o, 23, "Failure writing output to destination")
			}
		}
	}
	if partial && code == 0 {
		length, _ := strconv.Atoi(a.headers.Get("Content-Length"))
		code = p.curlSays(o, 18, "transfer closed with %d bytes remaining to read", length-len(a.body))
	}
	if code == 22 {
		p.curlSays(o, 22, "The requested URL returned error: %d", a.status)
	}
	p.curlWriteOut(o, u, a)
	return code
}

// curlWriteOut is -w.
func (p *Process) curlWriteOut(o *options, u *url.URL, a *answer) {
	w := o.get("w")
	if w == "" {
		return
	}
	status, size, kind := 0, 0, ""
	if a != nil {
		status, size, kind = a.status, len(a.body), a.headers.Get("Content-Type")
	}
	p.print(strings.NewReplacer("%{http_code}", fmt.Sprintf("%03d", status), "%{response_code}", fmt.Sprintf("%03d", status), "%{size_download}", strconv.Itoa(size), "%{url_effective}", u.String(),
		"%{content_type}", kind, "%{num_redirects}", "0", "%%", "%", `\n`, "\n", `\t`, "\t", `\r`, "\r").Replace(w))
}

// curlOptions parses as curl does, which is not as getopt does.
func (p *Process) curlOptions() (*options, string) {
	o := &options{set: map[string][]string{}}
	add := func(name, value string) {
		o.set[name] = append(o.set[name], value)
		o.order = append(o.order, option{name: name, value: value})
	}
	args := p.Args[1:]
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			o.args = append(o.args, args[i+1:]...)
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
			key := strings.TrimPrefix(cmpOr(alias, name), "^")
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
			o.args = append(o.args, a)
		}
	}
	return o, ""
}

func cmdWget(p *Process) int {
	o, ok := p.getopt("qO:cnvT:t:P:SU:dN4:6e:i:bk", "quiet>q output-document=>O continue>c no-verbose timeout=>T tries=>t directory-prefix=>P server-response>S user-agent=>U https-only no-check-certificate header= "+
		"no-hsts show-progress progress= timestamping>N ca-certificate= retry-connrefused waitretry= secure-protocol= connect-timeout= read-timeout= dns-timeout= spider verbose>v")
	if !ok || len(o.args) == 0 {
		if ok {
			p.errorf("missing URL")
		}
		p.warn("Usage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options.\n")
		if ok {
			return 1
		}
		return 2
	}
	quiet := o.has("q")
	say := func(format string, a ...any) {
		if !quiet {
			p.warn(format, a...)
		}
	}
	code := 0
	for _, raw := range o.args {
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
		if o.has("P") {
			name = join(o.get("P"), name)
		}
		if out := o.get("O"); out != "" {
			name = out
			if out != "-" {
				// wget makes the file before it knows whether there is something to write.
				d, err := p.open(out, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
				if err != nil {
					say("%s: %s\n", out, strerror(err))
					return 1
				}
				d.release()
			}
		}
		stamp := p.localTime(p.m.now()).Format("2006-01-02 15:04:05")
		if !o.has("nv", "no-verbose") {
			say("--%s--  %s\n", stamp, u)
		}
		host, port := u.Hostname(), cmpOr(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
		a, err := p.m.fetch("GET", u, http.Header{"User-Agent": {"Wget/1.21.3"}}, nil)
		for n := 0; err == nil && a.status >= 300 && a.status < 400 && a.headers.Get("Location") != "" && n < 20; n++ {
			next, perr := u.Parse(a.headers.Get("Location"))
			if perr != nil {
				break
			}
			u = next
			a, err = p.m.fetch("GET", u, http.Header{"User-Agent": {"Wget/1.21.3"}}, nil)
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
		if o.has("spider") {
			continue
		}
		if name == "-" {
			p.print(string(a.body))
			p.flush()
			continue
		}
		if !o.has("O") && !o.has("c", "N") {
			base := name
			for n := 1; ; n++ {
				if _, err := p.lstat(name); err != nil {
					break
				}
				name = fmt.Sprintf("%s.%d", base, n)
			}
		}
		if err := p.writeFile(name, a.body, 0o666); err != nil {
			say("%s: %s\n\nCannot write to ‘%s’ (%s).\n", name, strerror(err), name, strerror(err))
			code = 3
			continue
		}
		say("%s (0 B/s) - ‘%s’ saved [%d/%d]\n\n", stamp, name, len(a.body), len(a.body))
	}
	return code
}

// An iface is a network interface, as ip -j shows it.
type iface struct {
	Index     int         `json:"ifindex"`
	Name      string      `json:"ifname"`
	Flags     []string    `json:"flags"`
	MTU       int         `json:"mtu"`
	Qdisc     string      `json:"qdisc"`
	State     string      `json:"operstate"`
	Group     string      `json:"group"`
	Queue     int         `json:"txqlen"`
	Link      string      `json:"link_type"`
	Address   string      `json:"address"`
	Broadcast string      `json:"broadcast"`
	Addrs     []ifaceAddr `json:"addr_info,omitempty"`
}

type ifaceAddr struct {
	Family    string `json:"family"`
	Local     string `json:"local"`
	Prefix    int    `json:"prefixlen"`
	Broadcast string `json:"broadcast,omitempty"`
	Scope     string `json:"scope"`
	Label     string `json:"label,omitempty"`
	Valid     uint32 `json:"valid_life_time"`
	Preferred uint32 `json:"preferred_life_time"`
}

func (m *Machine) interfaces() []iface {
	const forever = 1<<32 - 1
	return []iface{
		{1, "lo", []string{"LOOPBACK", "UP", "LOWER_UP"}, 65536, "noqueue", "UNKNOWN", "default", 1000, "loopback", "00:00:00:00:00:00", "00:00:00:00:00:00",
			[]ifaceAddr{{"inet", "127.0.0.1", 8, "", "host", "lo", forever, forever}, {"inet6", "::1", 128, "", "host", "", forever, forever}}},
		{2, netDev, []string{"BROADCAST", "MULTICAST", "UP", "LOWER_UP"}, 1500, "fq_codel", "UP", "default", 1000, "ether", ethernet, "ff:ff:ff:ff:ff:ff",
			[]ifaceAddr{{"inet", m.address(), 24, "192.168.1.255", "global", netDev, forever, forever}, {"inet6", "fe80::2ecf:67ff:fe00:1", 64, "", "link", "", forever, forever}}},
	}
}

func cmdIP(p *Process) int {
	args := p.Args[1:]
	asJSON, oneLine, brief, family := false, false, false, ""
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-j", "-json", "--json":
			asJSON = true
		case "-o", "-oneline", "--oneline":
			oneLine = true
		case "-br", "-brief":
			brief = true
		case "-4":
			family = "inet"
		case "-6":
			family = "inet6"
		case "-p", "-pretty", "-c", "-color", "-d", "-details", "-s", "-stats", "-N":
		default:
			p.warn("Option \"%s\" is unknown, try \"ip -help\".\n", args[0])
			return 255
		}
		args = args[1:]
	}
	if len(args) == 0 {
		p.warn("Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n")
		return 255
	}
	object := args[0]
	args = args[1:]
	verb := "show"
	if len(args) > 0 && slices.Contains([]string{"show", "list", "ls", "sh", "s", "get", "lst"}, args[0]) {
		if args[0] == "get" {
			verb = "get"
		}
		args = args[1:]
	} else if len(args) > 0 && slices.Contains([]string{"add", "del", "delete", "set", "change", "replace", "flush", "append"}, args[0]) {
		p.warn("hosttest: ip %s %s: this machine's network cannot be changed\n", object, args[0])
		return 2
	}
	is := func(full string) bool { return strings.HasPrefix(full, object) }
	switch {
	case is("address") || object == "addr" || is("link"):
		dev := ""
		for i := 0; i < len(args); i++ {
			switch args[i] {
			case "dev":
				if i++; i < len(args) {
					dev = args[i]
				}
			case "up":
			case "scope":
				i++
			default:
				dev = args[i]
			}
		}
		return p.showInterfaces(dev, family, is("link"), asJSON, oneLine, brief)
	case is("route"):
		switch {
		case verb == "get" && len(args) > 0 && asJSON:
			p.printf("[{\"dst\":%q,\"gateway\":%q,\"dev\":%q,\"prefsrc\":%q,\"flags\":[],\"uid\":%d,\"cache\":[]}]\n", args[0], gateway, netDev, p.m.address(), p.uid)
		case verb == "get" && len(args) > 0:
			p.printf("%s via %s dev %s src %s uid %d \n    cache \n", args[0], gateway, netDev, p.m.address(), p.uid)
		case family == "inet6":
			if asJSON {
				p.print("[]\n")
			}
		case asJSON:
			def := fmt.Sprintf(`{"dst":"default","gateway":%q,"dev":%q,"protocol":"dhcp","prefsrc":%q,"metric":100,"flags":[]}`, gateway, netDev, p.m.address())
			if len(args) == 0 {
				def += fmt.Sprintf(`,{"dst":%q,"dev":%q,"protocol":"kernel","scope":"link","prefsrc":%q,"metric":100,"flags":[]}`, netPrefix, netDev, p.m.address())
			}
			p.print("[", def, "]\n")
		default:
			p.printf("default via %s dev %s proto dhcp src %s metric 100 \n", gateway, netDev, p.m.address())
			if len(args) == 0 {
				p.printf("%s dev %s proto kernel scope link src %s metric 100 \n", netPrefix, netDev, p.m.address())
			}
		}
		return 0
	}
	p.warn("Object \"%s\" is unknown, try \"ip help\".\n", object)
	return 1
}

func (p *Process) showInterfaces(dev, family string, linkOnly, asJSON, oneLine, brief bool) int {
	list := p.m.interfaces()
	if dev != "" {
		list = slices.DeleteFunc(list, func(i iface) bool { return i.Name != dev })
		if len(list) == 0 {
			p.warn("Device \"%s\" does not exist.\n", dev)
			return 1
		}
	}
	for i := range list {
		if linkOnly {
			list[i].Addrs = nil
		}
		if family != "" {
			list[i].Addrs = slices.DeleteFunc(list[i].Addrs, func(a ifaceAddr) bool { return a.Family != family })
		}
	}
	if asJSON {
		b, err := json.Marshal(list)
		if err != nil {
			return 1
		}
		p.print(string(b), "\n")
		return 0
	}
	for _, i := range list {
		var addrs []string
		for _, a := range i.Addrs {
			s := fmt.Sprintf("%s %s/%d", a.Family, a.Local, a.Prefix)
			if brief {
				addrs = append(addrs, fmt.Sprintf("%s/%d", a.Local, a.Prefix))
				continue
			}
			if a.Broadcast != "" {
				s += " brd " + a.Broadcast
			}
			s += " scope " + a.Scope + " " + a.Label
			addrs = append(addrs, s)
		}
		switch {
		case brief && linkOnly:
			p.printf("%-16s %-14s %s <%s> \n", i.Name, i.State, i.Address, strings.Join(i.Flags, ","))
		case brief:
			p.printf("%-16s %-14s %s \n", i.Name, i.State, strings.Join(addrs, " "))
		case oneLine && !linkOnly:
			for _, a := range addrs {
				p.printf("%d: %s    %s\\       valid_lft forever preferred_lft forever\n", i.Index, i.Name, a)
			}
		default:
			sep := "\n"
			if oneLine {
				sep = "\\"
			}
			mode := ""
			if linkOnly {
				mode = " mode DEFAULT"
			}
			p.printf("%d: %s: <%s> mtu %d qdisc %s state %s%s group %s qlen %d%s", i.Index, i.Name, strings.Join(i.Flags, ","), i.MTU, i.Qdisc, i.State, mode, i.Group, i.Queue, sep)
			if family == "" || linkOnly {
				p.printf("    link/%s %s brd %s\n", i.Link, i.Address, i.Broadcast)
			}
			for _, a := range addrs {
				p.printf("    %s\n       valid_lft forever preferred_lft forever\n", a)
			}
		}
	}
	return 0
}

func cmdSs(p *Process) int {
	o, ok := p.getopt("altnupHeimo46xsr", "all>a listening>l tcp>t numeric>n udp>u processes>p no-header>H extended>e ipv4>4 ipv6>6 unix>x")
	if !ok {
		p.warn("Usage: ss [ OPTIONS ]\n")
		return 255
	}
	if !o.has("l") || !o.has("t") {
		p.errorf("hosttest: this ss shows only listening TCP sockets: -ltn")
		return 255
	}
	ports := []int{22}
	p.m.mu.Lock()
	for n := range p.m.ports {
		ports = append(ports, n)
	}
	p.m.mu.Unlock()
	slices.Sort(ports)
	s := &sheet{cols: []column{{name: "State"}, {name: "Recv-Q"}, {name: "Send-Q"}, {name: "Local Address:Port", right: true}, {name: "Peer Address:Port", right: true}}, tree: -1}
	if o.has("H") {
		s.cols[3].name, s.cols[4].name = "", "" // their width is then that of the addresses
	}
	for _, n := range slices.Compact(ports) {
		for _, any := range []string{"0.0.0.0", "[::]"} {
			if any == "[::]" && o.has("4") || any == "0.0.0.0" && o.has("6") {
				continue
			}
			s.rows = append(s.rows, &sheetRow{cells: []string{"LISTEN", "0", "128", fmt.Sprintf("%s:%d", any, n), any + ":*"}})
		}
	}
	s.table(p, !o.has("H"))
	return 0
}
