"""Reads DER, CMS, PKCS#12 and X.509. docs/decisions/certificate-parsers.md says why by hand."""
