"""Flows, bytes sent and bytes received of every device in every hour, by a peer: the part of a
backtest that a library for tables can do. Both ends of a flow count, as in the engine.

    aggregate.py duckdb|polars CAPTURE.parquet
"""

import sys


def duckdb(capture: str) -> tuple[int, int]:
    import duckdb

    query = """
        create temp table hours as
        select device, date_trunc('hour', time) as hour,
               count(*) as flows, sum(up) as up, sum(down) as down
        from (
            select orig as device, time, orig_bytes as up, resp_bytes as down
            from read_parquet($capture)
            union all
            select resp, time, resp_bytes, orig_bytes from read_parquet($capture)
        )
        group by all
    """
    duckdb.execute(query, {"capture": capture})
    return duckdb.execute("select count(*), sum(flows)::bigint from hours").fetchone()


def polars(capture: str) -> tuple[int, int]:
    import polars as pl

    def end(device: str, up: str, down: str) -> pl.LazyFrame:
        return pl.scan_parquet(capture).select(
            pl.col(device).cast(pl.String).alias("device"),
            pl.col("time").dt.truncate("1h").alias("hour"),
            pl.col(up).alias("up"),
            pl.col(down).alias("down"),
        )

    ends = [end("orig", "orig_bytes", "resp_bytes"), end("resp", "resp_bytes", "orig_bytes")]
    hours = (
        pl.concat(ends)
        .group_by("device", "hour")
        .agg(pl.len().alias("flows"), pl.col("up").sum(), pl.col("down").sum())
        .collect(engine="streaming")
    )
    return hours.height, hours["flows"].sum()


if __name__ == "__main__":
    _, peer, capture = sys.argv
    groups, flows = {"duckdb": duckdb, "polars": polars}[peer](capture)
    print(f"{groups} device-hours of {flows} observations")
