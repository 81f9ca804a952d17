package compose_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// push pushes a new image under a name, and returns its digest. It does not stay on the machine.
func (s subject) push(t *testing.T, r *real.ImageRegistry, repository, tag string) string {
	t.Helper()
	name := r.Addr + "/" + repository + ":" + tag
	s.docker.ImportBusybox(t, name)
	s.look(t, "docker push -q "+name+" && docker rmi "+name)
	return r.Digest(t, repository, tag)
}

// pinned is a stack of one service whose images are pinned by the lock file in its folder.
type pinned struct {
	subject
	dir string
}

func (s subject) pinned(t *testing.T, image string) pinned {
	t.Helper()
	p := pinned{s, filepath.Join(t.TempDir(), "app")}
	writeFile(t, p.dir, "compose.yaml", "services: {a: {image: '"+image+"', command: [sleep, '100000'], init: true, restart: always}}")
	return p
}

// lock resolves what the compose.yaml names, and writes the lock file.
func (p pinned) lock(t *testing.T) compose.Lock {
	t.Helper()
	images, err := compose.Images(t.Context(), compose.Source{Dir: p.dir})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := compose.Resolve(t.Context(), p.machine, images)
	if err != nil {
		t.Fatal(err)
	}
	p.writeLock(t, lock)
	return lock
}

func (p pinned) writeLock(t *testing.T, l compose.Lock) {
	t.Helper()
	writeFile(t, p.dir, compose.LockFile, string(l.Format()))
}

// load loads it as its files are.
func (p pinned) load(t *testing.T) compose.Stack {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, compose.LockFile))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := compose.ReadLock(compose.LockFile, b)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := compose.Load(t.Context(), compose.Source{Dir: p.dir, Lock: lock})
	if err != nil {
		t.Fatal(err)
	}
	stack.Timeout = patience
	return stack
}

// fails applies a stack whose image cannot be had, and returns the error. What runs must be left alone.
func (p pinned) fails(t *testing.T) string {
	t.Helper()
	before := p.running(t)
	plan := p.plan(t, p.load(t))
	if !strings.Contains(plan.String(), "create  compose:app/image:") {
		t.Errorf("nothing is pulled:\n%s", plan)
	}
	_, err := plan.Apply(t.Context(), nil)
	if err == nil {
		t.Fatal("it was pulled")
	}
	if after := p.running(t); after != before || after == "" {
		t.Errorf("before, %q ran; now %q", before, after)
	}
	return err.Error()
}

// running returns the container that runs, and when it was started.
func (p pinned) running(t *testing.T) string {
	t.Helper()
	return p.look(t, "docker ps -q --no-trunc --filter label=com.docker.compose.project=app | xargs -r docker "+
		"inspect --format '{{.ID}} {{.State.StartedAt}}'")
}

// digests returns the digests of the image that runs.
func (p pinned) digests(t *testing.T) string {
	t.Helper()
	return p.look(t, "docker ps -q --filter label=com.docker.compose.project=app | xargs docker inspect --format "+
		"'{{.Image}}' | xargs docker image inspect --format '{{json .RepoDigests}}'")
}

func registries(t *testing.T, fresh func(*testing.T) subject) {
	t.Run("a tag that moves", func(t *testing.T) {
		s := fresh(t)
		r := real.Registry(t, s.docker.Gateway+":0")
		image := r.Addr + "/app:stable"
		first := s.push(t, r, "app", "stable")
		p := s.pinned(t, image)
		if l := p.lock(t); l[image].Digest != first {
			t.Fatalf("resolved to %v, the registry says %s", l, first)
		}
		s.look(t, "docker rmi "+image)
		if text := p.apply(t, p.load(t)); !strings.Contains(text,
			"create  compose:app/image:"+image+"@"+first+": not on the machine") {
			t.Errorf("it is not pulled by digest:\n%s", text)
		}
		if got := p.digests(t); !strings.Contains(got, first) {
			t.Errorf("%s runs", got)
		}

		second := s.push(t, r, "app", "stable")
		if plan := p.plan(t, p.load(t)); !plan.Empty() || first == second {
			t.Errorf("the tag has moved to %s, and nobody asked:\n%s", second, plan)
		}
		if l := p.lock(t); l[image].Digest != second {
			t.Fatalf("resolved to %v, the registry says %s", l, second)
		}
		text := p.apply(t, p.load(t))
		for _, want := range []string{"replace compose:app/service:a", "-  image: " + image + "@" + first,
			"+  image: " + image + "@" + second} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in the plan:\n%s", want, text)
			}
		}
		if got := p.digests(t); !strings.Contains(got, second) {
			t.Errorf("%s runs", got)
		}

		// What is deployed needs no registry, nor does what was deployed before.
		third := s.push(t, r, "app", "stable")
		r.Stop(t)
		if plan := p.plan(t, p.load(t)); !plan.Empty() {
			t.Errorf("the registry is down:\n%s", plan)
		}
		if _, err := compose.Resolve(t.Context(), p.machine, []string{image}); err == nil ||
			!errors.Is(err, lab.ErrUnreachable) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("resolved without the registry: %v", err)
		}
		p.writeLock(t, compose.Lock{image: {Digest: first}})
		if text := p.apply(t, p.load(t)); strings.Contains(text, "/image:") {
			t.Errorf("an image that is on the machine is pulled:\n%s", text)
		}
		p.writeLock(t, compose.Lock{image: {Digest: third}})
		if err := p.fails(t); !strings.Contains(err, third) || !strings.Contains(err, "connection refused") {
			t.Errorf("got %s", err)
		}
		r.Start(t)
		p.apply(t, p.load(t))
		if got := p.digests(t); !strings.Contains(got, third) {
			t.Errorf("%s runs", got)
		}
		nowhere := "sha256:" + strings.Repeat("0", 64)
		p.writeLock(t, compose.Lock{image: {Digest: nowhere}})
		if err := p.fails(t); !strings.Contains(err, nowhere) || !strings.Contains(err, "manifest unknown") {
			t.Errorf("got %s", err)
		}
		p.writeLock(t, compose.Lock{image: {Digest: third}})
		p.apply(t, p.load(t)) // puts the compose.yaml back
	})
	t.Run("two digests of one image", func(t *testing.T) {
		s := fresh(t)
		r := real.Registry(t, s.docker.Gateway+":0")
		s.push(t, r, "app", "amd64")
		image := r.Addr + "/app:1"
		p := s.pinned(t, image)
		for i := range 4 { // an index is published anew, and the image for this machine stays
			digest := pushIndex(t, r, "app", "amd64", "1", fmt.Sprint(i), dockerManifest)
			if l := p.lock(t); l[image].Digest != digest {
				t.Errorf("resolved to %v, the registry says %s", l, digest)
			}
			p.apply(t, p.load(t))
		}
	})
	t.Run("a registry that wants a login", func(t *testing.T) {
		s := fresh(t)
		r := real.Registry(t, s.docker.Gateway+":0")
		digest := s.push(t, r, "app", "1")
		l, err := net.Listen("tcp", s.docker.Gateway+":0")
		if err != nil {
			t.Fatal(err)
		}
		inner := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: r.Addr})
		door := httptest.Server{Listener: l,
			Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if user, password, _ := req.BasicAuth(); user == "lab" && password == secret {
					inner.ServeHTTP(w, req)
					return
				}
				w.Header().Set("WWW-Authenticate", `Basic realm="images"`)
				w.WriteHeader(http.StatusUnauthorized)
			})}}
		door.Start()
		defer door.Close()
		addr := l.Addr().String()
		image := addr + "/app:1"
		p := s.pinned(t, image)
		if _, err := compose.Resolve(t.Context(), p.machine, []string{image}); !errors.Is(err, lab.ErrUnauthorized) {
			t.Errorf("without a login: %v", err)
		}
		s.look(t, "echo "+secret+" | docker login -u lab --password-stdin "+addr+" 2>/dev/null")
		if l := p.lock(t); l[image].Digest != digest {
			t.Errorf("resolved to %v, the registry says %s", l, digest)
		}
		p.apply(t, p.load(t))
		s.look(t, "docker logout "+addr)
		if plan := p.plan(t, p.load(t)); !plan.Empty() {
			t.Errorf("logged out:\n%s", plan)
		}
	})
	t.Run("a pull that is cut off", func(t *testing.T) {
		s := fresh(t)
		// Docker itself tries five times, in 50 s.
		s.look(t, `echo '{"max-download-attempts": 1}' >/etc/docker/daemon.json; systemctl restart docker`)
		t.Cleanup(func() { s.look(t, "rm /etc/docker/daemon.json; systemctl restart docker") })
		r := real.Registry(t, s.docker.Gateway+":0")
		name := r.Addr + "/app:1"
		s.look(t, "head -c 1000000 /dev/urandom >/srv/noise; id=$(docker create busybox:1.36 true); docker cp "+
			"/srv/noise $id:/noise; docker commit $id "+name+"; docker rm $id; docker push -q "+name+" && docker rmi "+name)
		digest := r.Digest(t, "app", "1")
		g := newGate(t, s.docker.Gateway+":0", r.Addr)
		image := g.addr + "/app:1"
		p := s.pinned(t, image)
		p.writeLock(t, compose.Lock{image: {Digest: digest}})
		for _, n := range []int64{0, 500_000} {
			g.left.Store(n)
			if _, err := p.plan(t, p.load(t)).Apply(t.Context(), nil); err == nil ||
				!strings.Contains(err.Error(), digest) {
				t.Errorf("cut off after %d bytes: %v", n, err)
			}
		}
		g.left.Store(1 << 40)
		p.apply(t, p.load(t))
		if got := p.digests(t); !strings.Contains(got, digest) {
			t.Errorf("%s runs", got)
		}
	})
}

// dockerManifest is the kind of manifest that docker push writes.
const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"

// pushIndex tags a list that holds the manifest of another tag, for this machine's platform, and
// returns its digest.
func pushIndex(t *testing.T, r *real.ImageRegistry, repository, of, tag, note, manifestType string) string {
	t.Helper()
	call := func(method, ref string, body []byte, header map[string]string) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method,
			"http://"+r.Addr+"/v2/"+repository+"/manifests/"+ref, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range header {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %s, %v, %s", method, ref, resp.Status, err, b)
		}
		return b
	}
	const indexType = "application/vnd.oci.image.index.v1+json"
	manifest := call(http.MethodGet, of, nil, map[string]string{"Accept": manifestType})
	sum := sha256.Sum256(manifest)
	arch := map[string]any{"architecture": runtime.GOARCH, "os": "linux"}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": indexType,
		"annotations": map[string]string{"note": note},
		"manifests": []any{map[string]any{"mediaType": manifestType, "digest": "sha256:" + hex.EncodeToString(sum[:]),
			"size": len(manifest), "platform": arch}}})
	if err != nil {
		t.Fatal(err)
	}
	call(http.MethodPut, tag, index, map[string]string{"Content-Type": indexType})
	return r.Digest(t, repository, tag)
}

// gate is a way to a server that is cut after some bytes of what it answers, over all connections.
type gate struct {
	addr string
	left atomic.Int64
}

func newGate(t *testing.T, addr, server string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{addr: l.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer client.Close()
				upstream, err := net.Dial("tcp", server)
				if err != nil {
					return
				}
				defer upstream.Close()
				all.Go(func() {
					_, _ = io.Copy(upstream, client)
					upstream.Close()
				})
				b := make([]byte, 4096)
				for {
					n, err := upstream.Read(b)
					if left := g.left.Add(-int64(n)); left < 0 {
						n = max(0, n+int(left))
						err = io.ErrUnexpectedEOF
					}
					if _, werr := client.Write(b[:n]); err != nil || werr != nil {
						return
					}
				}
			})
		}
	})
	return g
}
