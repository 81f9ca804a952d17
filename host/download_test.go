package host_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// origin serves what machines download. Below /cut/ it drops connections halfway, and below /busy/
// it answers that it is busy, for the next so many requests.
type origin struct {
	*httptest.Server
	cuts, busy atomic.Int32 // how many more requests fail
	requests   atomic.Int32
	elsewhere  string // where /moved/NAME redirects to
}

// serve starts an origin at an address; certificate nil means plain HTTP.
func serve(t *testing.T, ip string, certificate *tls.Certificate, files map[string][]byte) *origin {
	t.Helper()
	o := &origin{}
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	o.Server = &httptest.Server{Listener: l, Config: &http.Server{
		ErrorLog: log.New(io.Discard, "", 0), Handler: o.handler(files),
	}}
	if certificate == nil {
		o.Start()
	} else {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}}
		o.StartTLS()
	}
	t.Cleanup(o.Close)
	return o
}

// handler serves the files by name.
func (o *origin) handler(files map[string][]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.requests.Add(1)
		kind, name := filepath.Split(r.URL.Path)
		b, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		switch {
		case kind == "/moved/":
			http.Redirect(w, r, o.elsewhere+"/"+name, http.StatusFound)
		case kind == "/busy/" && o.busy.Add(-1) >= 0:
			http.Error(w, "later", http.StatusServiceUnavailable)
		case kind == "/cut/" && o.cuts.Add(-1) >= 0:
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			w.Write(b[:len(b)/2])
			panic(http.ErrAbortHandler)
		default:
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
		}
	})
}

// authority returns a certificate authority, in PEM, and a certificate issued by it for the address
// and names.
func authority(t *testing.T, ip net.IP, names ...string) (ca string, leaf *tls.Certificate) {
	t.Helper()
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "fetch test authority"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "fetch test"},
		NotBefore:    root.NotBefore,
		NotAfter:     root.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses:  []net.IP{ip},
		DNSNames:     names,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, server, root, key.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}))
	return ca, &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// program returns a megabyte that compresses badly.
func program(t *testing.T) []byte {
	b := make([]byte, 1<<20)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// tarball returns an archive with one file, release/bin/program.
func tarball(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "release/bin/program", Mode: 0o755, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	w.Write(content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fetcher is a machine that downloads from an origin to a directory.
type fetcher struct {
	*testing.T
	m   *host.Machine
	dir string
}

func (f *fetcher) sh(script string) string {
	f.Helper()
	r, err := f.m.Run(f.Context(), ssh.Command{Script: script, Root: true})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		f.Fatalf("%s: %v", script, err)
	}
	return string(r.Stdout)
}

func (f *fetcher) apply(want ...host.Resource) error {
	f.Helper()
	p, err := f.m.Plan(f.Context(), want)
	if err != nil {
		f.Fatal(err)
	}
	_, err = p.Apply(f.Context(), nil)
	return err
}

// works applies the resources and verifies that the next plan is empty.
func (f *fetcher) works(want ...host.Resource) {
	f.Helper()
	if err := f.apply(want...); err != nil {
		f.Fatalf("%v\n%s", err, strings.Join(lab.Hints(err), "\n"))
	}
	p, err := f.m.Plan(f.Context(), want)
	if err != nil {
		f.Fatal(err)
	}
	if !p.Empty() {
		f.Errorf("the plan after an apply is not empty:\n%s", p)
	}
}

// refused applies the resource and verifies that it fails, that the error contains all the words,
// and that the directory is unchanged.
func (f *fetcher) refused(want host.Resource, says ...string) {
	f.Helper()
	before := f.tree()
	err := f.apply(want)
	if err == nil {
		f.Fatalf("%s succeeded", want.ID())
	}
	for _, s := range append(says, want.ID()) {
		if !strings.Contains(err.Error(), s) {
			f.Errorf("the error does not contain %q: %v", s, err)
		}
	}
	if after := f.tree(); after != before {
		f.Errorf("%s: a failed download left\n%swant\n%s", want.ID(), after, before)
	}
}

// tree returns what is in the directory: names, modes, owners and sums.
func (f *fetcher) tree() string {
	f.Helper()
	return f.sh("cd " + ssh.Quote(f.dir) + " && find . -printf '%p %y %m %U\\n' | sort && " +
		"find . -type f -print0 | sort -z | xargs -0 -r sha256sum --")
}

// fetches tests downloads and archives from an origin that works, has other content, is cut off, is
// busy, and has no such file.
func fetches(f *fetcher, o *origin, files map[string][]byte) {
	one, two := sum(files["one"]), sum(files["two"])
	path := f.dir + "/program"
	f.refused(host.Download{Path: path, URL: o.URL + "/nosuch", SHA256: one}, "404", o.URL+"/nosuch could not be fetched")
	f.refused(
		host.Download{Path: path, URL: o.URL + "/two", SHA256: one},
		o.URL+"/two does not have the checksum "+one+" but "+two,
	)
	f.works(host.Download{Path: path, URL: o.URL + "/one", SHA256: one, Mode: 0o750})
	if got := f.sh("stat -c '%a %U:%G' " + path + "; sha256sum <" + path); got != "750 root:root\n"+one+"  -\n" {
		f.Errorf("downloaded %q", got)
	}
	requests := o.requests.Load()
	f.works(host.Download{Path: path, URL: o.URL + "/moved/one", SHA256: one, Mode: 0o750})
	if n := o.requests.Load() - requests; n != 0 {
		f.Errorf("%d requests for an existing file", n)
	}
	// The old program is kept until the new one is complete.
	o.cuts.Store(100)
	f.refused(host.Download{Path: path, URL: o.URL + "/cut/two", SHA256: two, Mode: 0o750})
	o.cuts.Store(3) // a cut transfer is retried
	f.works(host.Download{Path: path, URL: o.URL + "/cut/two", SHA256: two, Mode: 0o750})
	o.busy.Store(1)
	f.works(host.Download{Path: path, URL: o.URL + "/busy/one", SHA256: one, Mode: 0o750})

	first, second := sum(files["first.tgz"]), sum(files["second.tgz"])
	dir := f.dir + "/unpacked"
	unpacked := func(content []byte) {
		f.Helper()
		got := f.sh("stat -c %a " + dir + "/bin/program; sha256sum <" + dir + "/bin/program")
		if got != "755\n"+sum(content)+"  -\n" {
			f.Errorf("unpacked %q", got)
		}
	}
	f.sh("mkdir " + dir)
	f.refused(host.Archive{Path: dir, URL: o.URL + "/nosuch.tgz", SHA256: first, Strip: 1}, "404")
	f.refused(
		host.Archive{Path: dir, URL: o.URL + "/second.tgz", SHA256: first, Strip: 1},
		"/second.tgz does not have the checksum "+first+" but",
	)
	o.cuts.Store(100)
	f.refused(host.Archive{Path: dir, URL: o.URL + "/cut/first.tgz", SHA256: first, Strip: 1})
	o.cuts.Store(0)
	f.works(host.Archive{Path: dir, URL: o.URL + "/cut/first.tgz", SHA256: first, Strip: 1})
	unpacked(files["one"])
	wrong := host.Archive{Path: dir, URL: o.URL + "/second.tgz", SHA256: one, Strip: 1}
	f.refused(wrong, "does not have the checksum") // the stamp is kept too
	f.works(host.Archive{Path: dir, URL: o.URL + "/second.tgz", SHA256: second, Strip: 1})
	unpacked(files["two"])
}

// served returns the files of an origin.
func served(t *testing.T) map[string][]byte {
	one, two := program(t), program(t)
	return map[string][]byte{"one": one, "two": two, "first.tgz": tarball(t, one), "second.tgz": tarball(t, two)}
}

// TestDownloadHTTPS downloads over TLS on a real Debian machine that is made to trust the authority.
func TestDownloadHTTPS(t *testing.T) {
	t.Parallel()
	m := real.Machines(t, 1)[0]
	f := &fetcher{t, &host.Machine{Target: realTarget(m)}, "/srv/fetch"}
	defer f.m.Close()
	c, err := net.Dial("tcp", m.Addr)
	if err != nil {
		t.Fatal(err)
	}
	here := c.LocalAddr().(*net.TCPAddr).IP // this side's address, as the machine sees it
	c.Close()
	const name = "elsewhere.lab.test"
	ca, leaf := authority(t, here, name)
	files := served(t)
	o, other := serve(t, here.String(), leaf, files), serve(t, here.String(), leaf, files)
	_, port, err := net.SplitHostPort(other.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	o.elsewhere = "https://" + name + ":" + port
	f.sh("mkdir " + f.dir + "; echo " + here.String() + " " + name + " >>/etc/hosts")

	one := host.Download{Path: f.dir + "/moved", URL: o.URL + "/moved/one", SHA256: sum(files["one"])}
	f.refused(one, "certificate")
	f.works(host.CACertificate{Name: "fetch-test", PEM: ca})
	f.works(one)
	if n := other.requests.Load(); n != 1 {
		t.Errorf("%d requests to the other host", n)
	}
	o.elsewhere = serve(t, here.String(), nil, files).URL
	f.refused(host.Download{Path: f.dir + "/plain", URL: o.URL + "/moved/one", SHA256: sum(files["one"])}, "rotocol")
	f.sh("rm " + f.dir + "/moved")
	fetches(f, o, files)
}

// TestDownloadLoopback downloads from the loopback address, where plain HTTP is allowed, with
// OpenSSH and curl of this machine, and in this process.
func TestDownloadLoopback(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, target ssh.Target, dir string, reach func(*origin)) {
		f := &fetcher{t, &host.Machine{Target: target}, dir}
		defer f.m.Close()
		f.sh("mkdir -p " + dir)
		files := served(t)
		o := serve(t, "127.0.0.1", nil, files)
		reach(o)
		o.elsewhere = o.URL
		f.refused(host.Download{Path: dir + "/moved", URL: o.URL + "/moved/one", SHA256: sum(files["one"])}, "rotocol")
		fetches(f, o, files)
	}
	t.Run("sshd", func(t *testing.T) {
		t.Parallel()
		m, dir := here(t)
		run(t, m.Target, filepath.Join(dir, "fetch"), func(*origin) {})
	})
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		m := hosttest.New(t, hosttest.Config{})
		run(t, inProcess(m), "/srv/fetch", func(o *origin) {
			to := o.Listener.Addr().(*net.TCPAddr)
			m.Listen(to.Port, func(c net.Conn) { relay(c, to.String()) })
		})
	})
}

// relay forwards a connection to an address of this process.
func relay(c net.Conn, to string) {
	defer c.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go io.Copy(out, c)
	io.Copy(c, out)
}
