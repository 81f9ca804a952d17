package apt

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// statusMemo keeps the parsed status file until the file changes.
type statusMemo struct {
	mu   sync.Mutex
	raw  []byte
	list []*stanza
}

// imageStatus is the parsed status file of the images, which most machines share.
var imageStatus struct {
	mu sync.Mutex
	m  map[*byte][]*stanza
}

// packages parses the status file. The result is shared: clone before changing.
func packages(k *kernel.Kernel) []*stanza {
	t := k.Tree
	t.Lock()
	raw := libc.RawFile(t, statusFile)
	pristine := false
	if s, err := t.Must(kernel.RootCred, "/", statusFile, true); err == nil {
		i := s.At.Inode()
		pristine = !i.Owned
	}
	var text string
	if !pristine {
		text = string(raw)
	}
	t.Unlock()
	if len(raw) == 0 {
		return nil
	}
	if pristine {
		imageStatus.mu.Lock()
		defer imageStatus.mu.Unlock()
		if l := imageStatus.m[&raw[0]]; l != nil {
			return l
		}
		l := parseStatus(string(raw))
		if imageStatus.m == nil {
			imageStatus.m = map[*byte][]*stanza{}
		}
		imageStatus.m[&raw[0]] = l
		return l
	}
	d := kernel.Local[statusMemo](k)
	d.mu.Lock()
	defer d.mu.Unlock()
	if string(d.raw) != text {
		d.raw, d.list = []byte(text), parseStatus(text)
	}
	return d.list
}

func findPackage(k *kernel.Kernel, name string) *stanza {
	name, arch, _ := strings.Cut(name, ":")
	for _, s := range packages(k) {
		if s.get("Package") != name {
			continue
		}
		of := s.get("Architecture")
		if arch == "" || arch == "any" || of == arch || arch == k.Config.Arch && of == "all" {
			return s
		}
	}
	return nil
}

// savePackages writes the status file as dpkg does: completely, synced, renamed.
func savePackages(p *kernel.Process, list []*stanza) error {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *stanza) int { return cmp.Compare(a.get("Package"), b.get("Package")) })
	return libc.ReplaceFile(p, statusFile, []byte(formatStatus(list)), 0o644)
}
