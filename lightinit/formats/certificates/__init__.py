"""Parsers for DER, CMS, PKCS#12 and X.509. See docs/decisions/certificate-parsers.md."""
