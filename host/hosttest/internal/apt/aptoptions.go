package apt

import (
	"cmp"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// aptFlags are the options without an argument, by their short letter or the first of their names.
var aptFlags = strings.Fields(`yes assume-yes>yes simulate just-print>simulate dry-run>simulate recon>simulate
	no-act>simulate download-only fix-broken fix-missing ignore-missing>fix-missing show-upgraded verbose-versions
	no-install-recommends install-recommends no-install-suggests install-suggests allow-downgrades
	allow-change-held-packages allow-remove-essential allow-unauthenticated allow-insecure-repositories
	allow-releaseinfo-change reinstall purge only-upgrade no-upgrade no-remove auto-remove autoremove>auto-remove
	print-uris no-download trivial-only force-yes with-new-pkgs quiet help version assume-no no-list-cleanup
	list-cleanup`)

var aptShort = map[byte]string{
	'y': "yes", 's': "simulate", 'd': "download-only", 'f': "fix-broken", 'm': "fix-missing", 'u': "show-upgraded",
	'V': "verbose-versions", 'q': "quiet", 'h': "help", 'v': "version",
}

// aptOptions reads a command line as APT's programs do. The text is their error.
func aptOptions(p *kernel.Process, c aptConf) (flags map[string]bool, args []string, problem string) {
	flags = map[string]bool{}
	words := p.Args[1:]
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "--":
			return flags, append(args, words[i+1:]...), ""
		case strings.HasPrefix(w, "--"):
			name, value, has := strings.Cut(w[2:], "=")
			switch name {
			case "option", "config-file", "target-release", "default-release", "host-architecture", "error-on":
				if !has {
					if i++; i >= len(words) {
						return nil, nil, "Option " + w + " requires an argument."
					}
					value = words[i]
				}
				if name == "option" {
					k, v, ok := strings.Cut(value, "=")
					if !ok {
						return nil, nil, "Option " + w + ": Configuration item specification must have an =<val>."
					}
					c.set(k, v)
				}
				continue
			}
			found := false
			for _, f := range aptFlags {
				long, is, _ := strings.Cut(f, ">")
				if long == name {
					flags[cmp.Or(is, long)], found = value != "no" && value != "false", true
				}
			}
			if !found {
				return nil, nil, "Command line option " + w + " is not understood in combination with the other options"
			}
		case len(w) > 1 && w[0] == '-':
			for j := 1; j < len(w); j++ {
				switch ch := w[j]; {
				case ch == 'o' || ch == 'c' || ch == 't' || ch == 'a':
					value := w[j+1:]
					if value == "" {
						if i++; i >= len(words) {
							return nil, nil, "Option -" + string(ch) + " requires an argument."
						}
						value = words[i]
					}
					if ch == 'o' {
						k, v, ok := strings.Cut(value, "=")
						if !ok {
							return nil, nil, "Option -o: Configuration item specification must have an =<val>."
						}
						c.set(k, v)
					}
					j = len(w)
				case ch == 'q' && j+1 < len(w) && w[j+1] == '=':
					flags["quiet"] = true
					j = len(w)
				case aptShort[ch] != "":
					flags[aptShort[ch]] = true
				default:
					return nil, nil, fmt.Sprintf("Command line option '%c' [from %s] is not understood "+
						"in combination with the other options.", ch, w)
				}
			}
		default:
			args = append(args, w)
		}
	}
	return flags, args, ""
}
