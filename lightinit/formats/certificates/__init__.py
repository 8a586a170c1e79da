"""DER, CMS, PKCS#12 and the certificates in them."""
