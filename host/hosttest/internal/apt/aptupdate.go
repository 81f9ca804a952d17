package apt

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// update fetches the lists of all sources.
func (a *apt) update() int {
	p, k := a.p, a.p.Kernel
	if code := a.lock(listsDir+"lock", "Unable to lock directory "+listsDir); code != 0 {
		if p.UID != 0 {
			p.Print("Reading package lists...\n")
		}
		return code
	}
	all := everyPackage(k)
	retries, _ := strconv.Atoi(a.conf.get("Acquire::Retries"))
	var errs, warns []string
	keep := map[string]bool{listsDir + "lock": true, listsDir + "partial": true, listsDir + "auxfiles": true}
	seen := map[string]bool{}
	for n, s := range a.sources {
		at := n + 1
		host := strings.TrimPrefix(strings.TrimPrefix(s.uri, "http://"), "https://")
		host, _, _ = strings.Cut(host, "/")
		url := strings.TrimSuffix(s.uri, "/") + "/dists/" + s.suite + "/InRelease"
		if len(s.components) == 0 {
			url = strings.TrimSuffix(s.uri, "/") + "/" + strings.TrimSuffix(s.suite, "./") + "InRelease"
		}
		problem := ""
		local := strings.HasPrefix(s.uri, "file:") || strings.HasPrefix(s.uri, "copy:")
		for try := 0; try <= retries; try++ {
			switch {
			case s.known(all) && !FaultsOf(k).failsFetch():
				problem = ""
			case local:
				problem = "absent"
			default:
				problem = "Temporary failure resolving '" + host + "'"
			}
			if problem == "" || try == retries || local {
				break
			}
			p.Printf("Ign:%d %s InRelease\n", at, s.label())
		}
		for _, i := range s.indexes() {
			keep[i.file(k.Config.Arch)] = true
		}
		switch {
		case problem == "absent":
			p.Printf("Err:%d %s Release\n  File not found - %s/Release (2: No such file or directory)\n", at, s.label(), strings.TrimPrefix(s.uri, "file:"))
			errs = append(errs, "The repository '"+s.label()+" Release' does not have a Release file.")
			continue
		case problem != "":
			p.Printf("Err:%d %s InRelease\n  %s\n", at, s.label(), problem)
			warns = append(warns, "Failed to fetch "+url+"  "+problem)
			continue
		case !keyed(p, s):
			p.Printf("Get:%d %s InRelease [48.8 kB]\nErr:%d %s InRelease\n  The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 7EA0A9C3F273FCD8\n", at, s.label(), at, s.label())
			warns = append(warns, "GPG error: "+s.label()+" InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 7EA0A9C3F273FCD8")
			errs = append(errs, "The repository '"+s.label()+" InRelease' is not signed.")
			continue
		}
		word := "Hit"
		for _, i := range s.indexes() {
			file := i.file(k.Config.Arch)
			if seen[file] {
				warns = append(warns, "Target Packages ("+cmp.Or(i.component, s.suite)+"/binary-"+k.Config.Arch+"/Packages) is configured multiple times")
			}
			seen[file] = true
			var list []*stanza
			for _, pk := range all {
				if i.provides(pk) {
					list = append(list, pk.stanza(k.Config.Arch, ""))
				}
			}
			text := formatStatus(list)
			if old, err := p.ReadFile(file); err == nil && string(old) == text {
				continue
			}
			word = "Get"
			if err := libc.ReplaceFile(p, file, []byte(text), 0o644); err != nil {
				errs = append(errs, fmt.Sprintf("Failed to fetch %s  Error writing to file - write (%s)", url, errnoText(err)))
			}
		}
		p.Printf("%s:%d %s InRelease\n", word, at, s.label())
	}
	names, _ := p.ReadDir(strings.TrimSuffix(listsDir, "/"))
	for _, n := range names {
		if !keep[listsDir+n] && len(errs) == 0 {
			p.Unlink(listsDir + n)
		}
	}
	p.Print("Reading package lists...\n")
	p.Flush()
	for _, w := range warns {
		p.Warnf("W: %s\n", w)
	}
	if len(warns) > 0 && slices.ContainsFunc(warns, func(w string) bool { return strings.HasPrefix(w, "Failed") }) && len(errs) == 0 {
		p.Warnf("W: Some index files failed to download. They have been ignored, or old ones used instead.\n")
	}
	for _, e := range errs {
		p.Warnf("E: %s\n", e)
	}
	if len(errs) > 0 {
		return 100
	}
	return 0
}
