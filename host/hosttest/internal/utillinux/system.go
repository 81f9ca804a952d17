package utillinux

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// Programs are util-linux, e2fsprogs, xfsprogs, procps, kmod, udev and a few small ones.
func Programs() map[string]kernel.Program {
	all := systemTools()
	for _, t := range []map[string]kernel.Program{processTools(), blockTools(), mountTools(), makeTools(), netTools()} {
		maps.Copy(all, t)
	}
	return all
}

// systemTools look at and set up the machine as a whole.
func systemTools() map[string]kernel.Program {
	return map[string]kernel.Program{
		"hostname": cmdHostname, "uname": cmdUname, "uptime": cmdUptime, "nproc": cmdNproc,
		"arch":             func(p *kernel.Process) int { p.Print(p.Kernel.Machine(), "\n"); return 0 },
		"/usr/sbin/sysctl": cmdSysctl, "/usr/sbin/modprobe": cmdModprobe, "/usr/sbin/lsmod": cmdLsmod, "/usr/sbin/sshd": cmdSshd,
		"/usr/sbin/update-ca-certificates": cmdUpdateCA,
	}
}

func cmdUname(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "asnrvmpio", "all>a kernel-name>s nodename>n kernel-release>r kernel-version>v machine>m processor>p hardware-platform>i operating-system>o")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) > 0 {
		p.Errorf("extra operand %s", libc.Quote(o.Args[0]))
		return libc.Usage(p, 1)
	}
	parts := []struct{ f, v string }{{"s", "Linux"}, {"n", p.Kernel.Hostname()}, {"r", p.Kernel.Config.Release}, {"v", "#1 SMP PREEMPT Debian 1:6.12.25-1+rpt1 (2025-04-30)"}, {"m", p.Kernel.Machine()}, {"p", "unknown"}, {"i", "unknown"}, {"o", "GNU/Linux"}}
	var out []string
	for _, x := range parts {
		if o.Has(x.f) || o.Has("a") && x.f != "p" && x.f != "i" || len(o.Order) == 0 && x.f == "s" {
			out = append(out, x.v)
		}
	}
	p.Print(strings.Join(out, " "), "\n")
	return 0
}

func cmdHostname(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "sfidIAbF:y", "short>s fqdn>f long>f ip-address>i domain>d all-ip-addresses>I all-fqdns>A boot>b file=>F")
	if !ok {
		return 255
	}
	if libc.Unsupported(p, o, "A", "b", "y") {
		return 1
	}
	h := p.Kernel.Hostname()
	set := ""
	if len(o.Args) > 0 {
		set = o.Args[0]
	}
	if o.Has("F") {
		b, err := p.ReadFile(o.Get("F"))
		if err != nil {
			p.Errorf("%s: %s", o.Get("F"), kernel.Strerror(err))
			return 1
		}
		set = strings.TrimSpace(string(b))
	}
	if set != "" {
		if p.UID != 0 {
			p.Errorf("you must be root to change the host name")
			return 1
		}
		if p.Kernel.Mutate(nil) != nil {
			return 1
		}
		p.Kernel.SetHostname(set)
		return 0
	}
	short, domain, _ := strings.Cut(h, ".")
	switch {
	case o.Has("s"):
		p.Print(short, "\n")
	case o.Has("I"):
		p.Print(p.Kernel.Address(), " \n")
	case o.Has("i"):
		p.Print("127.0.1.1\n")
	case o.Has("d"):
		p.Print(domain, "\n")
	case o.Has("f"):
		b, _ := p.ReadFile("/etc/hosts")
		for _, e := range libc.ParseHosts(string(b)) {
			if slices.Contains(e[1:], h) {
				p.Print(e[1], "\n")
				return 0
			}
		}
		p.Errorf("Name or service not known")
		return 1
	default:
		p.Print(h, "\n")
	}
	return 0
}

func cmdUptime(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ps", "pretty>p since>s")
	if !ok {
		return 1
	}
	up := p.Kernel.Uptime()
	switch {
	case o.Has("s"):
		p.Print(p.Kernel.Now().Add(-up).In(libc.Location(p.Kernel)).Format("2006-01-02 15:04:05"), "\n")
	case o.Has("p"):
		p.Printf("up %d minutes\n", int(up.Minutes()))
	default:
		p.Printf(" %s up %d min,  0 users,  load average: 0.08, 0.03, 0.01\n", p.Kernel.Now().In(libc.Location(p.Kernel)).Format("15:04:05"), int(up.Minutes()))
	}
	return 0
}

func cmdNproc(p *kernel.Process) int {
	p.Printf("%d\n", p.Kernel.Config.CPUs)
	return 0
}

func cmdSysctl(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "aAbeFhNnp::qr:wX", "all>a binary>b ignore>e names>N values>n load[=>p quiet>q write>w system pattern=>r")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "b", "F", "r", "X") {
		return 1
	}
	code := 0
	file := func(key string) string { return "/proc/sys/" + strings.ReplaceAll(key, ".", "/") }
	show := func(key, value string) {
		switch {
		case o.Has("q"):
		case o.Has("n"):
			p.Print(value, "\n")
		case o.Has("N"):
			p.Print(key, "\n")
		default:
			p.Print(key, " = ", value, "\n")
		}
	}
	write := func(key, value string, optional bool) {
		key = strings.ReplaceAll(key, "/", ".")
		d, err := p.Open(file(key), os.O_WRONLY, 0)
		if err == nil {
			_, err = d.Write(p, []byte(value))
			d.Release()
			p.Check()
		}
		if err != nil {
			switch {
			case err == syscall.ENOENT && (o.Has("e") || optional):
				return
			case err == syscall.ENOENT:
				p.Errorf("cannot stat %s: No such file or directory", file(key))
			case err == syscall.EACCES:
				p.Errorf("permission denied on key \"%s\"", key)
				if optional {
					return
				}
			default:
				p.Errorf("setting key \"%s\": %s", key, kernel.Strerror(err))
				if optional {
					return
				}
			}
			code = 1
			return
		}
		show(key, value)
	}
	load := func(f string) {
		b, err := p.ReadFile(f)
		if err != nil {
			p.Errorf("cannot open \"%s\": %s", f, kernel.Strerror(err))
			code = 1
			return
		}
		for n, l := range strings.Split(string(b), "\n") {
			if l = StripComments(l); l != "" && !strings.Contains(l, "=") {
				p.Errorf("%s(%d): invalid syntax, continuing...", f, n+1)
				code = 1
			}
		}
		for _, kv := range ParseSysctl(string(b)) {
			write(kv.Key, kv.Value, kv.optional)
		}
	}
	switch {
	case o.Has("system"):
		files := append(ConfFiles(p.Kernel.FS(), "sysctl.d"), "/etc/sysctl.conf")
		for _, f := range files {
			if !o.Has("q") {
				p.Print("* Applying ", f, " ...\n")
			}
			load(f)
		}
		return code
	case o.Has("p"):
		files := o.Args
		if v := o.Get("p"); v != "" {
			files = append([]string{v}, files...)
		}
		if len(files) == 0 {
			files = []string{"/etc/sysctl.conf"}
		}
		for _, f := range files {
			load(f)
		}
		return code
	case o.Has("a", "A"):
		libc.Walk(p, "/proc/sys", true, func(name string, st kernel.Stat) error {
			if st.IsRegular() {
				b, err := p.ReadFile(name)
				if err == nil {
					show(strings.ReplaceAll(strings.TrimPrefix(name, "/proc/sys/"), "/", "."), strings.TrimSpace(string(b)))
				}
			}
			return nil
		})
		return 0
	}
	if len(o.Args) == 0 {
		p.Warnf("\nUsage:\n sysctl [options] [variable[=value] ...]\n")
		return 1
	}
	for _, a := range o.Args {
		key, value, has := strings.Cut(a, "=")
		if has {
			write(strings.TrimSpace(key), strings.TrimSpace(value), false)
			continue
		}
		if o.Has("w") {
			p.Errorf("command line(0): invalid syntax, continuing...")
			code = 1
			continue
		}
		key = strings.ReplaceAll(key, "/", ".")
		b, err := p.ReadFile(file(key))
		if err != nil {
			if !o.Has("e") {
				p.Flush()
				if err == syscall.ENOENT {
					p.Errorf("cannot stat %s: No such file or directory", file(key))
				} else {
					p.Errorf("permission denied on key '%s'", key)
				}
				code = 1
			}
			continue
		}
		for l := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
			show(key, l)
		}
	}
	return code
}

func cmdModprobe(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "arnqvDfRScibt:d:", "all>a remove>r dry-run>n show>n quiet>q verbose>v first-time show-depends>D resolve-alias>R use-blacklist>b ignore-install>i force>f showconfig>c")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "R", "S", "c", "i", "b", "t", "d") {
		return 1
	}
	if len(o.Args) == 0 {
		p.Errorf("ERROR: missing parameters. See -h.")
		return 1
	}
	names := o.Args[:1]
	if o.Has("a") || o.Has("r") {
		names = o.Args
	}
	code := 0
	for _, n := range names {
		mod := strings.ReplaceAll(n, "-", "_")
		known := slices.ContainsFunc(kernel.KnownModules, func(k string) bool { return strings.ReplaceAll(k, "-", "_") == mod })
		if !known && !p.Kernel.Loaded(mod) {
			if !o.Has("q") {
				p.Warnf("modprobe: FATAL: Module %s not found in directory /lib/modules/%s\n", n, p.Kernel.Config.Release)
			}
			code = 1
			continue
		}
		if o.Has("n", "D") {
			continue
		}
		if p.Kernel.Loaded(mod) != o.Has("r") {
			if o.Has("first-time") {
				p.Errorf("ERROR: could not insert '%s': Module already in kernel", mod)
				code = 1
			}
			if o.Has("r") && !p.Kernel.Loaded(mod) {
				continue
			}
			continue
		}
		if p.UID != 0 {
			if o.Has("r") {
				p.Errorf("ERROR: ../libkmod/libkmod-module.c:856 kmod_module_remove_module() could not remove '%s': Operation not permitted", mod)
			} else {
				p.Errorf("ERROR: could not insert '%s': Operation not permitted", mod)
			}
			code = 1
			continue
		}
		if p.Kernel.Mutate(nil) != nil {
			return 1
		}
		if o.Has("r") {
			p.Kernel.RemoveModule(mod)
		} else {
			p.Kernel.LoadModule(mod)
		}
	}
	return code
}

func cmdLsmod(p *kernel.Process) int {
	p.Print("Module                  Size  Used by\n")
	for _, n := range p.Kernel.ModuleList() {
		p.Printf("%-20s 16384  0\n", n)
	}
	return 0
}

var sshdKeywords = strings.Fields(`acceptenv addressfamily allowagentforwarding allowgroups allowstreamlocalforwarding allowtcpforwarding allowusers authenticationmethods authorizedkeyscommand
	authorizedkeyscommanduser authorizedkeysfile authorizedprincipalscommand authorizedprincipalscommanduser authorizedprincipalsfile banner casignaturealgorithms channeltimeout chrootdirectory
	ciphers clientalivecountmax clientaliveinterval compression debianbanner denygroups denyusers disableforwarding exposeauthinfo fingerprinthash forcecommand gatewayports gssapiauthentication
	gssapicleanupcredentials gssapikeyexchange gssapistorecredentialsonrekey gssapistrictacceptorcheck hostbasedacceptedalgorithms hostbasedauthentication hostbasedusesnamefrompacketonly
	hostcertificate hostkey hostkeyagent hostkeyalgorithms ignorerhosts ignoreuserknownhosts include ipqos kbdinteractiveauthentication challengeresponseauthentication kerberosauthentication
	kerberosgetafstoken kerberosorlocalpasswd kerberosticketcleanup kexalgorithms listenaddress logingracetime loglevel logverbose macs match maxauthtries maxsessions maxstartups modulifile
	passwordauthentication permitemptypasswords permitlisten permitopen permitrootlogin permittty permittunnel permituserenvironment permituserrc persourcemaxstartups persourcenetblocksize
	pidfile port printlastlog printmotd pubkeyacceptedalgorithms pubkeyacceptedkeytypes pubkeyauthentication pubkeyauthoptions rekeylimit requiredrsasize revokedkeys rdomain
	securitykeyprovider setenv streamlocalbindmask streamlocalbindunlink strictmodes subsystem syslogfacility tcpkeepalive trustedusercakeys unusedconnectiontimeout usedns usepam versionaddendum
	x11displayoffset x11forwarding x11uselocalhost xauthlocation protocol useprivilegeseparation`)

// checkSshd finds what sshd would not accept in a configuration.
func checkSshd(p *kernel.Process, file string, depth int) []string {
	b, err := p.ReadFile(file)
	if err != nil {
		return []string{fmt.Sprintf("%s: %s", file, kernel.Strerror(err))}
	}
	var bad []string
	for i, l := range strings.Split(string(b), "\n") {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' {
			continue
		}
		k, v, _ := strings.Cut(strings.Replace(strings.ReplaceAll(l, "\t", " "), "=", " ", 1), " ")
		v = strings.TrimSpace(v)
		k = strings.ToLower(k)
		at := fmt.Sprintf("%s line %d: ", file, i+1)
		if !slices.Contains(sshdKeywords, k) {
			bad = append(bad, fmt.Sprintf("%s: line %d: Bad configuration option: %s", file, i+1, strings.Fields(l)[0]))
			continue
		}
		if v == "" {
			bad = append(bad, at+"no argument after keyword \""+strings.Fields(l)[0]+"\"")
			continue
		}
		first := strings.Trim(strings.Fields(v)[0], `"`)
		switch k {
		case "passwordauthentication", "pubkeyauthentication", "usepam", "x11forwarding", "printmotd", "kbdinteractiveauthentication", "permitemptypasswords", "strictmodes", "usedns", "allowagentforwarding", "permittty", "tcpkeepalive":
			if first != "yes" && first != "no" {
				bad = append(bad, at+"unsupported option \""+first+"\".")
			}
		case "permitrootlogin":
			if !slices.Contains([]string{"yes", "no", "prohibit-password", "without-password", "forced-commands-only"}, first) {
				bad = append(bad, at+"unsupported option \""+first+"\".")
			}
		case "port":
			if n, ok := kernel.ParseUint(first); !ok || n == 0 || n > 65535 {
				bad = append(bad, at+"Badly formatted port number.")
			}
		case "maxauthtries", "maxsessions", "clientalivecountmax":
			if _, ok := kernel.ParseUint(first); !ok {
				bad = append(bad, at+"invalid integer value.")
			}
		case "include":
			if depth > 16 {
				continue
			}
			dir := path.Dir(first)
			names, _ := p.ReadDir(dir)
			slices.Sort(names)
			for _, n := range names {
				if libc.Fnmatch(path.Base(first), n) {
					bad = append(bad, checkSshd(p, dir+"/"+n, depth+1)...)
				}
			}
		}
	}
	return bad
}

func cmdSshd(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "46deDiqtTf:E:h:o:p:C:c:b:g:k:u:", "")
	if !ok {
		return 1
	}
	file := "/etc/ssh/sshd_config"
	if o.Has("f") {
		file = o.Get("f")
	}
	if !o.Has("t", "T") {
		p.Errorf("hosttest: sshd runs as a service only: systemctl start ssh")
		return 1
	}
	bad := checkSshd(p, file, 0)
	for _, l := range bad {
		p.Warnf("%s\n", l)
	}
	if len(bad) > 0 {
		if strings.Contains(bad[0], "Bad configuration option") {
			n := 0
			for _, l := range bad {
				if strings.Contains(l, "Bad configuration option") {
					n++
				}
			}
			p.Warnf("%s: terminating, %d bad configuration options\n", file, n)
		}
		return 255
	}
	return 0
}

// cmdUpdateCA makes /etc/ssl/certs/ca-certificates.crt from what is trusted, and counts what changed.
func cmdUpdateCA(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "vfh", "verbose>v fresh>f help>h default")
	if !ok {
		return 1
	}
	_ = o
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	certs := map[string]string{}
	conf, _ := p.ReadFile("/etc/ca-certificates.conf")
	for l := range strings.SplitSeq(string(conf), "\n") {
		if l == "" || l[0] == '#' || l[0] == '!' {
			continue
		}
		certs[strings.TrimSuffix(path.Base(l), ".crt")+".pem"] = "/usr/share/ca-certificates/" + l
	}
	libc.Walk(p, "/usr/local/share/ca-certificates", true, func(name string, st kernel.Stat) error {
		if strings.HasSuffix(name, ".crt") && !st.IsDir() {
			certs[strings.TrimSuffix(path.Base(name), ".crt")+".pem"] = name
		}
		return nil
	})
	added, removed := 0, 0
	if err := p.Access("/etc/ssl/certs", kernel.MayWrite); err != nil {
		p.Warnf("mktemp: failed to create file via template '/etc/ssl/certs/ca-certificates.txt.XXXXXX': %s\n", kernel.Strerror(err))
		return 1
	}
	p.Print("Updating certificates in /etc/ssl/certs...\n")
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(certs)) {
		b, err := p.ReadFile(certs[name])
		if err != nil {
			p.Warnf("W: %s not found, but listed in /etc/ca-certificates.conf.\n", certs[name])
			continue
		}
		if !strings.Contains(string(b), "-----BEGIN CERTIFICATE-----") {
			p.Warnf("rehash: warning: skipping %s,it does not contain exactly one certificate or CRL\n", name)
		}
		text.Write(b)
		if len(b) > 0 && b[len(b)-1] != '\n' {
			text.WriteByte('\n')
		}
		link := "/etc/ssl/certs/" + name
		if st, err := p.Lstat(link); err != nil || st.Target != certs[name] {
			if err == nil {
				p.Unlink(link)
			}
			p.Symlink(certs[name], link)
			added++
		}
	}
	names, _ := p.ReadDir("/etc/ssl/certs")
	for _, n := range names {
		st, err := p.Lstat("/etc/ssl/certs/" + n)
		if err == nil && st.IsSymlink() && strings.HasSuffix(n, ".pem") && certs[n] == "" && (strings.HasPrefix(st.Target, "/usr/local/share/ca-certificates/") || strings.HasPrefix(st.Target, "/usr/share/ca-certificates/")) {
			p.Unlink("/etc/ssl/certs/" + n)
			removed++
		}
	}
	old, _ := p.ReadFile(bundle)
	if string(old) != text.String() {
		if err := libc.ReplaceFile(p, bundle, []byte(text.String()), 0o644); err != nil {
			p.Errorf("%s: %s", bundle, kernel.Strerror(err))
			return 1
		}
	}
	p.Printf("%d added, %d removed; done.\nRunning hooks in /etc/ca-certificates/update.d...\ndone.\n", added, removed)
	return 0
}
