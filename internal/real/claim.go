package real

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// claimSet removes the sets of dead owners, claims a free network, and saves the
// state of the new set.
func claimSet(ctx context.Context, st setState) (*MachineSet, error) {
	if err := os.MkdirAll(registry, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockFile(ctx, filepath.Join(registry, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	live, err := removeDead(ctx)
	if err != nil {
		return nil, fmt.Errorf("remove the machines of a process that died: %w", err)
	}
	for _, other := range live {
		if other.Dir == st.Dir {
			return nil, fmt.Errorf("boot machines: the machines of another process are in %s", st.Dir)
		}
	}
	taken, err := localNets()
	if err != nil {
		return nil, err
	}
	for st.Net = 1; st.Net <= 250; st.Net++ {
		if taken(net.ParseIP(st.gateway())) {
			continue
		}
		claim, err := tryLockFile(st.claimFile())
		if errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(st)
		if err == nil {
			_, err = claim.Write(b)
		}
		if err != nil {
			claim.Close()
			return nil, err
		}
		return &MachineSet{claim: claim, state: st, Bridge: st.bridge(), Gateway: st.gateway()}, nil
	}
	return nil, errors.New("no free network in 172.31.0.0/16")
}

// removeDead removes the sets whose owner holds no lock any more, and returns the
// others.
func removeDead(ctx context.Context) (live []setState, err error) {
	files, err := filepath.Glob(filepath.Join(registry, "*.set"))
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, file := range files {
		b, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) { // it was closed just now
			continue
		}
		var st setState
		if err == nil && len(b) > 0 { // if it is empty, the owner died before it created anything
			err = json.Unmarshal(b, &st)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", file, err))
			continue
		}
		claim, err := tryLockFile(file)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			live = append(live, st)
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(b) > 0 {
			err = st.teardown(ctx)
		}
		if err == nil {
			err = os.Remove(file)
		}
		errs = append(errs, err, claim.Close())
	}
	return live, errors.Join(errs...)
}

// localNets returns a function that reports whether an address is in a network of
// this machine.
func localNets() (func(net.IP) bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	return func(ip net.IP) bool {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.Contains(ip) {
				return true
			}
		}
		return false
	}, nil
}
