package apt

import (
	"slices"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// archive is what the sources of a machine offer.
type archive struct {
	mu       sync.Mutex
	debian   []Package // what every machine's archive holds
	packages []Package
}

// SetArchive gives a machine the packages that every machine's archive holds. They are shared, and not changed.
func SetArchive(k *kernel.Kernel, packages []Package) {
	a := kernel.Local[archive](k)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.debian = packages
}

// Add puts a version of a package into the archive, in place of the same version that is there.
func Add(k *kernel.Kernel, pk Package) {
	a := kernel.Local[archive](k)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.packages = slices.DeleteFunc(slices.Clone(a.packages), func(x Package) bool {
		return x.Name == pk.Name && x.Version == pk.Version
	})
	a.packages = append(a.packages, pk)
}

// everyPackage lists the archive: what was added hides the same version of what every machine's archive holds.
func everyPackage(k *kernel.Kernel) []Package {
	a := kernel.Local[archive](k)
	a.mu.Lock()
	added, debian := a.packages, a.debian
	a.mu.Unlock()
	have := map[[2]string]bool{}
	for _, pk := range added {
		have[[2]string{pk.Name, pk.Version}] = true
	}
	out := slices.Clone(added)
	for _, pk := range debian {
		if !have[[2]string{pk.Name, pk.Version}] {
			out = append(out, pk)
		}
	}
	return out
}

func inArchive(k *kernel.Kernel, name, version string) (Package, bool) {
	for _, pk := range everyPackage(k) {
		if pk.Name == name && pk.Version == version {
			return pk, true
		}
	}
	return Package{}, false
}
