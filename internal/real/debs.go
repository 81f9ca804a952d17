package real

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// testPackage is a tiny Debian package for tests of packages, which then need no
// network.
type testPackage struct {
	name, version, depends string
	files                  map[string]string
	scripts                map[string]string // maintainer scripts, by name
}

// testPackages returns the packages of the machines' own repository.
func testPackages() []testPackage {
	version := func(name, v string) map[string]string {
		return map[string]string{"usr/share/" + name + "/version": v + "\n"}
	}
	conf := func(v, greeting string) testPackage {
		return testPackage{
			name: "lab-test-conf", version: v,
			files: map[string]string{
				"etc/lab-test.conf": "# written by lab-test-conf " + v + "\ngreeting = " + greeting + "\n",
			},
		}
	}
	return []testPackage{
		{name: "lab-test-a", version: "1.0", files: version("lab-test-a", "1.0")},
		{name: "lab-test-a", version: "1.1", files: version("lab-test-a", "1.1")},
		{name: "lab-test-b", version: "2.0", depends: "lab-test-a (>= 1.0)", files: version("lab-test-b", "2.0")},
		conf("1.0", "hello"), conf("1.1", "good day"),
		{
			name: "lab-test-svc", version: "1.0",
			files: map[string]string{
				"lib/systemd/system/lab-test-svc.service": "[Unit]\nDescription=A service for tests\n\n[Service]\n" +
					"ExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n",
			},
			scripts: map[string]string{
				"postinst": "#!/bin/sh\nset -e\nif [ \"$1\" = configure ] && [ -d /run/systemd/system ]; then\n" +
					"\tsystemctl daemon-reload\n\tsystemctl enable --quiet lab-test-svc.service\n" +
					"\tsystemctl start lab-test-svc.service\nfi\n",
				"prerm": "#!/bin/sh\nset -e\nif [ \"$1\" = remove ] && [ -d /run/systemd/system ]; then\n" +
					"\tsystemctl disable --quiet --now lab-test-svc.service\nfi\n",
				"postrm": "#!/bin/sh\nset -e\nif [ -d /run/systemd/system ]; then\n\tsystemctl daemon-reload\nfi\n",
			},
		},
	}
}

// writeRepository builds the test packages in dir with dpkg-deb, and an index of
// them, so that dir is a flat repository for apt.
func writeRepository(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "lab-debs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	var index strings.Builder
	for _, p := range testPackages() {
		file := p.name + "_" + p.version + "_all.deb"
		if err := p.build(ctx, filepath.Join(tmp, file), filepath.Join(dir, file)); err != nil {
			return err
		}
		deb, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		fmt.Fprintf(&index, "%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", p.control(), file, len(deb), sha256.Sum256(deb))
	}
	return os.WriteFile(filepath.Join(dir, "Packages"), []byte(index.String()), 0o644)
}

func (p testPackage) control() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Lab <lab@localhost>\n", p.name, p.version)
	if p.depends != "" {
		fmt.Fprintf(&b, "Depends: %s\n", p.depends)
	}
	fmt.Fprintf(&b, "Description: package for tests\n")
	return b.String()
}

// build writes the package's files to tree and packs them into deb.
func (p testPackage) build(ctx context.Context, tree, deb string) error {
	var conffiles strings.Builder
	files := map[string]string{"DEBIAN/control": p.control()}
	for name, content := range p.files {
		files[name] = content
		if strings.HasPrefix(name, "etc/") {
			fmt.Fprintf(&conffiles, "/%s\n", name)
		}
	}
	if conffiles.Len() > 0 {
		files["DEBIAN/conffiles"] = conffiles.String()
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(tree, name), content, 0o644); err != nil {
			return err
		}
	}
	for name, content := range p.scripts {
		if err := writeFile(filepath.Join(tree, "DEBIAN", name), content, 0o755); err != nil {
			return err
		}
	}
	return run(ctx, "dpkg-deb", "--build", "--root-owner-group", "-Zgzip", tree, deb)
}
