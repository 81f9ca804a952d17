package vaulttest

import (
	"maps"
	"slices"
	"strings"
)

var kubernetesFields = []field{
	{"disable_iss_validation", truth, true}, {"disable_local_ca_jwt", truth, false}, {"issuer", text, ""},
	{"kubernetes_ca_cert", text, ""},
	{"kubernetes_host", text, ""}, {"pem_keys", commas, []string{}}, {"token_reviewer_jwt", text, ""},
	{"use_annotations_as_alias_metadata", truth, false},
}

var kubernetesRoleFields = slices.Concat(tokenFields, []field{
	{"alias_name_source", text, "serviceaccount_uid"}, {"audience", text, ""},
	{"bound_service_account_names", commas, []string{}},
	{"bound_service_account_namespace_selector", text, ""}, {"bound_service_account_namespaces", commas, []string{}},
})

// kubernetes holds the configuration of the method, of a Vault that runs in a pod, or in none. Nobody can log in: that needs a
// Kubernetes.
func (s *Server) kubernetes(m *mount, r *request, rest string) reply {
	kind, name, _ := strings.Cut(rest, "/")
	switch {
	case kind == "config" && r.method == "GET":
		config := maps.Clone(m.objects[rest])
		if config == nil {
			return notFound()
		}
		config["token_reviewer_jwt_set"] = config["token_reviewer_jwt"] != ""
		delete(config, "token_reviewer_jwt")
		return ok(config)
	case kind == "config" && r.method == "POST":
		config := map[string]any{} // it is written whole
		if err := merge(config, kubernetesFields, r.body); err != nil {
			return fail(400, err.Error())
		}
		if config["kubernetes_host"] == "" {
			return fail(400, "no host provided")
		}
		if s.noPod && config["kubernetes_ca_cert"] == "" && config["disable_local_ca_jwt"] == false {
			return fail(400, "open /var/run/secrets/kubernetes.io/serviceaccount/ca.crt: no such file or directory")
		}
		m.objects[rest] = config
		return reply{}
	case kind != "role":
		return unsupported()
	case name == "":
		return m.names("role/")
	}
	return m.role(r, rest, kubernetesRoleFields, func(role map[string]any) (string, []string) {
		switch {
		case len(role["bound_service_account_names"].([]string)) == 0:
			return `"bound_service_account_names" can not be empty`, nil
		case len(role["bound_service_account_namespaces"].([]string)) == 0 &&
			role["bound_service_account_namespace_selector"] == "":
			return `"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set`, nil
		case role["audience"] == "":
			return "", []string{"Role " + name + " does not have an audience configured. While audiences are not " +
				"required, consider specifying " +
				"one if your use case would benefit from additional JWT claim verification."}
		}
		return "", nil
	})
}

// role answers reads and writes of one role of a method. check says what is wrong with it.
func (m *mount) role(r *request, rest string, fields []field, check func(role map[string]any) (wrong string,
	warnings []string)) reply {
	role := maps.Clone(m.objects[rest])
	switch {
	case r.method == "DELETE":
		delete(m.objects, rest)
		return reply{}
	case r.method == "GET" && role == nil:
		return notFound()
	case r.method == "GET":
		if role["audience"] == "" {
			delete(role, "audience")
		}
		return ok(role)
	case r.method != "POST":
		return unsupported()
	case role == nil:
		role = map[string]any{}
	}
	err := merge(role, fields, r.body)
	if err != nil {
		return fail(400, err.Error())
	}
	wrong, warnings := check(role)
	if wrong == "" {
		wrong = checkToken(role)
	}
	if wrong != "" {
		return fail(400, wrong)
	}
	m.objects[rest] = role
	return reply{warnings: warnings}
}
