-- The owners of a collection in the order of accounts: a page of them costs no more than it shows. Not partial and without
-- further columns, so that a balance that only changes its quantity is still updated in place (HOT). Readers go on while
-- it is built; workers wait for it.
CREATE INDEX ownership_contract ON market.ownership_current (network, contract, account);
