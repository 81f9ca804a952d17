package sshd

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

var sshdKeywords = strings.Fields(`acceptenv addressfamily allowagentforwarding allowgroups allowstreamlocalforwarding allowtcpforwarding
	allowusers authenticationmethods authorizedkeyscommand authorizedkeyscommanduser authorizedkeysfile
	authorizedprincipalscommand authorizedprincipalscommanduser authorizedprincipalsfile banner
	casignaturealgorithms channeltimeout chrootdirectory ciphers clientalivecountmax clientaliveinterval
	compression debianbanner denygroups denyusers disableforwarding exposeauthinfo fingerprinthash forcecommand
	gatewayports gssapiauthentication gssapicleanupcredentials gssapikeyexchange gssapistorecredentialsonrekey
	gssapistrictacceptorcheck hostbasedacceptedalgorithms hostbasedauthentication hostbasedusesnamefrompacketonly
	hostcertificate hostkey hostkeyagent hostkeyalgorithms ignorerhosts ignoreuserknownhosts include ipqos
	kbdinteractiveauthentication challengeresponseauthentication kerberosauthentication kerberosgetafstoken
	kerberosorlocalpasswd kerberosticketcleanup kexalgorithms listenaddress logingracetime loglevel logverbose
	macs match maxauthtries maxsessions maxstartups modulifile passwordauthentication permitemptypasswords
	permitlisten permitopen permitrootlogin permittty permittunnel permituserenvironment permituserrc
	persourcemaxstartups persourcenetblocksize pidfile port printlastlog printmotd pubkeyacceptedalgorithms
	pubkeyacceptedkeytypes pubkeyauthentication pubkeyauthoptions rekeylimit requiredrsasize revokedkeys rdomain
	securitykeyprovider setenv streamlocalbindmask streamlocalbindunlink strictmodes subsystem syslogfacility
	tcpkeepalive trustedusercakeys unusedconnectiontimeout usedns usepam versionaddendum x11displayoffset
	x11forwarding x11uselocalhost xauthlocation protocol useprivilegeseparation`)

// globalOnly are settings that no Match block can have.
var globalOnly = strings.Fields("addressfamily hostkey listenaddress port printmotd strictmodes subsystem syslogfacility usedns usepam")

// checkSshd finds what sshd would not accept in a configuration. within tells that a Match block includes the file.
func checkSshd(p *kernel.Process, file string, within bool, depth int) []string {
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
		if within && slices.Contains(globalOnly, k) {
			bad = append(bad, at+"Directive '"+strings.Fields(l)[0]+"' is not allowed within a Match block")
		}
		switch k {
		case "match":
			within = true
		case "passwordauthentication", "pubkeyauthentication", "usepam", "x11forwarding", "printmotd",
			"kbdinteractiveauthentication", "permitemptypasswords", "strictmodes", "usedns", "allowagentforwarding", "permittty", "tcpkeepalive":
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
					bad = append(bad, checkSshd(p, dir+"/"+n, within, depth+1)...)
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
	bad := checkSshd(p, file, false, 0)
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
	if o.Has("T") {
		user := ""
		for word := range strings.SplitSeq(o.Get("C"), ",") {
			if name, ok := strings.CutPrefix(word, "user="); ok {
				user = name
			}
		}
		s := settingsOf(p.Kernel, file, user)
		for _, d := range defaults {
			p.Print(d.keyword, " ", s.get(d.keyword), "\n")
		}
		for _, keyword := range lists {
			for _, name := range strings.Fields(s.get(keyword)) {
				p.Print(keyword, " ", name, "\n")
			}
		}
	}
	return 0
}
