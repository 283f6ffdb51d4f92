"""Microsoft Entra ID: who may do what, and the tokens that say so. Signs nothing: tokens are readable, not trusted."""
