package pgprov

// The settings that hints of this package name, see [lab.Setting].
const (
	SettingPG15     = "pgprov.pg15"     // that PostgreSQL 15 is accepted, see [Spec].AllowPG15
	SettingIdentity = "pgprov.identity" // which server it must be, see [Server].Identity
	SettingPrograms = "pgprov.programs" // the directory of pg_dump and pg_restore, see [Dump].Programs
)
