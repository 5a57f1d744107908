"""Who may read: tokens and the cookies that stand for them, wrong attempts, hosts."""
