package composetest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// PiHole is the stand-in of Pi-hole: it wants its password from a file, and tests lines for dnsmasq as far as the stack
// writes them. It answers no questions; see package host/dns/dnstest.
func PiHole() Program { return Program{Start: startPiHole, Try: tryPiHole} }

func startPiHole(c *Container) error {
	name := c.Env["WEBPASSWORD_FILE"]
	if b, err := c.File("/run/secrets/" + name); name == "" || err != nil || len(b) == 0 {
		return fmt.Errorf("no password in /run/secrets/%s", name)
	}
	lines := strings.ReplaceAll(c.Env["FTLCONF_misc_dnsmasq_lines"], ";", "\n")
	return testDnsmasq(strings.NewReader(lines), "/etc/pihole/dnsmasq.conf")
}

// tryPiHole is docker run of the script that tests a file with lines.
func tryPiHole(p *hosttest.Process, script string) int {
	if script != "cat >/tmp/lab.conf && pihole-FTL dnsmasq-test-file /tmp/lab.conf" {
		fmt.Fprintf(p.Stderr(), "composetest: unknown script in a container of Pi-hole: %q\n", script)
		return 1
	}
	if err := testDnsmasq(p.Stdin(), "/tmp/lab.conf"); err != nil {
		fmt.Fprintln(p.Stderr(), "\n"+err.Error())
		return 1
	}
	fmt.Fprintln(p.Stderr(), "dnsmasq: syntax check OK.")
	return 0
}

var (
	domainValue = regexp.MustCompile(`^/([A-Za-z0-9._-]+/)*([A-Za-z0-9._-]*)/([^/]*)$`)
	txtValue    = regexp.MustCompile(`^[A-Za-z0-9._-]+,.+$`)
)

// testDnsmasq returns the first mistake as dnsmasq 2.90 words it. It knows the options that the stack writes, and
// txt-record; others are unknown to it.
func testDnsmasq(r io.Reader, file string) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	aliases := map[string]bool{}
	scan := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		option, value, _ := strings.Cut(line, "=")
		bad := ""
		switch option {
		case "no-resolv", "no-hosts":
		case "server", "local", "address":
			bad = badServerLine(option, value)
		case "rev-server":
			network, server, ok := strings.Cut(value, ",")
			_, err := netip.ParsePrefix(network)
			switch {
			case err != nil:
				bad = "error"
			case ok: // without one, the network is local
				bad = badServerLine("server", server)
			}
		case "cname":
			alias, target, ok := strings.Cut(value, ",")
			switch {
			case !ok || target == "":
				bad = "bad CNAME"
			case aliases[alias]:
				bad = "duplicate CNAME"
			}
			aliases[alias] = true
		case "txt-record":
			if !txtValue.MatchString(value) {
				bad = "bad TXT record"
			}
		default:
			bad = "bad option"
		}
		if bad != "" {
			return fmt.Errorf("dnsmasq: %s at line %d of %s", bad, n, file)
		}
	}
	return nil
}

// badServerLine words what is wrong with the value of an option that has an address, for zones or without.
func badServerLine(option, value string) string {
	bad := "Name or service not known" // which dnsmasq takes it for
	if option == "address" {
		bad = "Bad address in --address"
	}
	server := value
	m := domainValue.FindStringSubmatch(value)
	if m != nil {
		server = m[3]
	}
	if m == nil && option != "server" {
		return bad
	}
	if server == "" && m != nil {
		return ""
	}
	host, _, _ := strings.Cut(server, "#")
	if _, err := netip.ParseAddr(host); err != nil {
		return bad
	}
	return ""
}
